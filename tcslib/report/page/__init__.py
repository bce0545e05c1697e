"""The page: executed notebooks and results in, one self-contained HTML file out."""
