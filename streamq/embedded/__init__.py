"""The server that comes along: a private Redis or Valkey on this machine."""
