"""What the end-to-end tests stand on: a server that misbehaves on command, certificates, a proxy, a runner."""
