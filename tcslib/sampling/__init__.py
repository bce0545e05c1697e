"""Before the field: how many customers to ask, and how to spread them."""
