"""Arrays become HoloViews elements: pure functions, Bokeh backend. Nothing here reads files or knows a page."""
