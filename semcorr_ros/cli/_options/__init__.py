"""Options of the verbs, one file per verb, of groups; nothing heavy is imported, so that --help is quick."""
