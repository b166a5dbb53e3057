"""Writes a first release.yaml from what a repository holds.

`survey` finds charts, images, environments and contexts; `chart_values` reads where values name images;
`document` writes the file and says what nobody found.
"""
