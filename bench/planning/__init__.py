"""Capacity planning: coefficients that are measured, arithmetic, a simulation, and a check of the predictions."""
