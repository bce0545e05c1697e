"""What the reader sees: words, numbers as print, tables, figures, the page, the workbook."""
