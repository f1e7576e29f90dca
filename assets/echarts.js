// Of ECharts only what our charts use: the whole is twice as large.
import { BarChart, CustomChart, LineChart } from "echarts/charts";
import {
  CalendarComponent, GridComponent, LegendPlainComponent, LegendScrollComponent, MarkAreaComponent, MarkLineComponent, TooltipComponent,
} from "echarts/components";
import { getInstanceByDom, init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";

use([
  BarChart, CustomChart, LineChart,
  CalendarComponent, GridComponent, LegendPlainComponent, LegendScrollComponent, MarkAreaComponent, MarkLineComponent, TooltipComponent,
  CanvasRenderer,
]);

export { getInstanceByDom, init };
