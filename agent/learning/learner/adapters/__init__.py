"""Files and processes of the learner."""
