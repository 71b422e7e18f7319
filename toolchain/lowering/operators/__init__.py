"""One file for each kind of operator: from the model's operator to a step of the plan."""
