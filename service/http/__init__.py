"""What all routes share: from the connection to the declared route, and back from its answer or its problem."""
