"""Packages that code works by without importing them: ``pandas.read_parquet`` needs pyarrow.

The names are those of pandas' and xarray's documentation ("Optional dependencies", "Engines").
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

from ..sources import Source, parse_source

#: Attributes in code, and the packages of which those that are installed here come along.
WORKS_BY: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("read_parquet", "to_parquet", "read_feather", "to_feather"), ("pyarrow", "fastparquet")
    ),
    **dict.fromkeys(("read_orc", "to_orc"), ("pyarrow",)),
    **dict.fromkeys(("read_hdf", "to_hdf"), ("tables",)),
    **dict.fromkeys(("read_sql", "read_sql_query", "read_sql_table", "to_sql"), ("sqlalchemy",)),
    **dict.fromkeys(("open_dataset", "open_mfdataset", "to_netcdf"), ("netcdf4", "h5netcdf")),
    **dict.fromkeys(("open_zarr", "to_zarr"), ("zarr",)),
    **dict.fromkeys(("read_html", "read_xml", "to_xml"), ("lxml", "html5lib")),
    "read_excel": ("openpyxl", "xlrd", "python-calamine"),
    "to_excel": ("openpyxl", "xlsxwriter"),
    "to_markdown": ("tabulate",),
    "style": ("jinja2",),
    "plot": ("matplotlib",),
    "hist": ("matplotlib",),
}


def uses_of(source: str | Source) -> list[str]:
    """The attributes of ``WORKS_BY`` that the code names, sorted."""
    parsed = parse_source(source) if isinstance(source, str) else source
    nodes = (node for tree in parsed.trees for node in ast.walk(tree))
    return sorted({n.attr for n in nodes if isinstance(n, ast.Attribute) and n.attr in WORKS_BY})


def works_by(uses: Iterable[str]) -> dict[str, str]:
    """Packages and the attribute that each is for."""
    return {package: use for use in uses for package in WORKS_BY.get(use, ())}
