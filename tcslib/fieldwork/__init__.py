"""What came back from the field: the file of answers read, its platform's habits known, its open answers masked."""
