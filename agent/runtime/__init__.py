"""Runtimes behind one protocol; the main process never imports one."""
