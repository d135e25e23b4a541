"""The store on Redis: one key register, server-side scripts as files, one module a port."""
