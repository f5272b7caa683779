"""Panel components whose picture the browser makes: Python owns the words, JavaScript renders and reports."""
