"""What drives what: PLS path modelling, weighted and design-based."""
