"""What people run: the REST API, the dashboard and the messaging product."""
