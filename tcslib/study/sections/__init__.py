"""The sections of a study that describe how answers were drawn, gathered and weighted."""
