"""python -m deploy.grafana.dashboard [OUTPUT]: writes the dashboard that Grafana reads. Its rows are in this folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TypeAlias

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana import load, requests
from deploy.grafana.panels import Limit, Panel, Row

OUTPUT = Path(__file__).with_name("dashboards") / "seq2serve.json"
ROWS = (
    *(requests.OVERVIEW, requests.BUDGET, requests.LATENCY, requests.THROUGHPUT, load.SATURATION, requests.ERRORS),
    *(load.MODELS, load.PROCESSES, load.HTTP, load.ENVOY),
)
HEIGHTS = {"number": 4, "lines": 8, "stacked": 8, "table": 8}
SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")

Builder: TypeAlias = "stat.Panel | table.Panel | timeseries.Panel"


def rendered() -> str:
    """The dashboard in JSON."""
    board = (
        dashboard.Dashboard("seq2serve")
        .uid("seq2serve")
        .description("Written by deploy/grafana/dashboard.py. docs/deploy/monitoring.md explains it.")
        .tags(["seq2serve"])
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .refresh("15s")
        .time("now-1h", "now")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_variable("instance", "Replica", "label_values(seq2serve_ready, instance)"))
        .with_variable(_variable("model", "Model", "label_values(seq2serve_model_info, model)"))
        .annotation(_alerts())
    )
    for row in ROWS:
        _add(board, row)
    return JSONEncoder(indent=2, sort_keys=True, ensure_ascii=False).encode(board.build()) + "\n"


def _add(board: dashboard.Dashboard, row: Row) -> None:
    board.with_row(dashboard.Row(row.title))
    for panel in row.panels:
        builder = _with_queries(_builder(panel), panel)
        builder.title(panel.title).description(panel.description).datasource(SOURCE).unit(panel.unit)
        board.with_panel(builder.span(panel.width).height(HEIGHTS[panel.kind]))


def _with_queries(builder: Builder, panel: Panel) -> Builder:
    for letter, query in zip("ABCDEFGH", panel.queries, strict=False):
        target = prometheus.Dataquery().ref_id(letter).datasource(SOURCE).expr(query.expression)
        target.legend_format(query.legend).editor_mode("code")  # type: ignore[arg-type]
        if panel.kind == "table":
            target.instant().format("table")  # type: ignore[arg-type]
        elif "_bucket{" in query.expression:
            target.range().exemplar(True)
        else:
            target.range()
        builder.with_target(target)
    return builder


def _builder(panel: Panel) -> Builder:
    if panel.kind == "number":
        colours = dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(_steps(panel.limit))
        last = common.ReduceDataOptions().calcs(["lastNotNull"])
        return stat.Panel().thresholds(colours).reduce_options(last).graph_mode(common_models.BigValueGraphMode.AREA)
    if panel.kind == "table":
        hidden = {"Time": True, "Value": True}
        without = models.DataTransformerConfig(id_val="organize", options={"excludeByName": hidden})
        return table.Panel().with_transformation(without)
    legend = common.VizLegendOptions().display_mode(common_models.LegendDisplayMode.TABLE).show_legend(True)
    legend.placement(common_models.LegendPlacement.BOTTOM).calcs(["lastNotNull", "max"])
    tooltip = common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI)
    series = timeseries.Panel().legend(legend).tooltip(tooltip.sort(common_models.SortOrder.DESCENDING))
    series.show_points(common_models.VisibilityMode.NEVER).line_width(1).axis_soft_min(0)
    if panel.kind == "stacked":
        series.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL)).fill_opacity(40)
    return series.fill_opacity(8) if panel.kind == "lines" else series


def _steps(limit: Limit | None) -> list[models.Threshold]:
    if limit is None:
        return [models.Threshold(value=None, color="blue")]
    first, second = ("red", "green") if limit.is_least else ("green", "red")
    return [models.Threshold(value=None, color=first), models.Threshold(value=limit.value, color=second)]


def _variable(name: str, label: str, query: str) -> dashboard.QueryVariable:
    everything = models.VariableOption(text="All", value="$__all", selected=True)
    variable = dashboard.QueryVariable(name).label(label).datasource(SOURCE).query(query).current(everything)
    return variable.multi(True).include_all(True).all_value(".*").refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)


def _alerts() -> dashboard.AnnotationQuery:
    firing = 'ALERTS{alertstate="firing",severity!="none"}'
    return dashboard.AnnotationQuery().name("Alerts").datasource(SOURCE).expr(firing).icon_color("red").enable(True)


def main(output: Path = OUTPUT) -> None:
    """Write it."""
    output.write_text(rendered(), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
