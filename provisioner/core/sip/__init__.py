"""SIP without sockets: messages, digest, and the query that asks a registrar without touching a line."""
