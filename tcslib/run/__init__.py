"""How a study is run: stages, pipeline, versions, command line."""
