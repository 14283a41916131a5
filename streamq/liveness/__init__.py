"""Who a worker is, on which host it runs, and what becomes of its jobs when it is lost: for workers and for duties."""
