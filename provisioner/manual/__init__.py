"""Man pages and completions, made from the command line's parser and the schema when a package is built."""
