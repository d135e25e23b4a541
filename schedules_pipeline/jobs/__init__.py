"""The jobs: publishing what is dirty, and the coldstart."""
