"""What people see and do: the pages, the REST API and the commands. The only package that knows Panel."""
