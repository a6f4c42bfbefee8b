"""`make demo`: a real site by Wagtail's own starter, served by refork, edited, served again."""
