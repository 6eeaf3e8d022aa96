"""Arrays, tables and the package's own JSON: values whose file may say little about what they are."""
