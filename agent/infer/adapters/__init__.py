"""Files of `selvedge infer`."""
