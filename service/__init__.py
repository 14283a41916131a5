"""What people run on top of the engine: the REST API, the live dashboard and the messaging product.

Imported as ``streamq_service``. It leans on the public names of ``streamq`` alone.
"""
