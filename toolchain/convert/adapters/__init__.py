"""Where the prebuilt engine comes from, and where what was made goes."""
