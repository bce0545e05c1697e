"""What satisfaction is worth: recommendation, loyalty, and the road from one to the other."""
