"""The handlers of the REST API, one file for each resource. What they raise becomes a problem document."""
