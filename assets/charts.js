// Draws <div data-chart data-chart-source="#id"> from the JSON that alliance/portal/charts.py writes.
import { getInstanceByDom, init } from "./echarts.js";
import { PICTURES } from "./pictures.js";

const LIGHT = {
  petrol: "#0b6e75", orange: "#e8742c", blue: "#3b7dc4", plum: "#8a4f9e", green: "#2f9461", red: "#c0322b", amber: "#c58a1b",
  grey: "#8a9ca1", band: "#bcdcdd", ink: "#51666c", text: "#14262b", line: "#e1e7e8", pointer: "#b9c8ca", surface: "#fff",
  nothing: "#e3e9ea", few: "#f4f6f6",
};
const DARK = {
  petrol: "#62c1c8", orange: "#f2904f", blue: "#7db9ee", plum: "#c797d8", green: "#6cc997", red: "#ff8d83", amber: "#e3b355",
  grey: "#92a5aa", band: "#2f5d62", ink: "#a2b3b8", text: "#e3ebed", line: "#2e3c41", pointer: "#55666c", surface: "#162024",
  nothing: "#2b383d", few: "#1b272b",
};
const ORDER = ["petrol", "orange", "blue", "plum", "green", "red", "amber", "grey"];
// Of the page as it is now: filled before each drawing.
const COLOURS = {};
const FONT = getComputedStyle(document.body).fontFamily;
const locale = document.documentElement.lang || "en";

function formatter(unit, places) {
  return unit === "percent"
    ? (value) => `${(value * 100).toLocaleString(locale, { maximumFractionDigits: places })} %`
    : (value) => value.toLocaleString(locale, { maximumFractionDigits: 2 });
}

// A rate between 80 and 100 % drawn from zero is a flat line; bars always start at zero.
function lowestShown(data) {
  if (data.unit !== "percent" || data.kind !== "line") return 0;
  const all = data.series.flatMap((series) => series.values).concat(data.band?.low ?? []);
  const lowest = Math.min(...all.filter((value) => value !== null));
  if (!Number.isFinite(lowest)) return 0;
  // In fives: an axis in steps of 20 % that began at 10 % would write 10 and 20 into each other.
  const fifths = lowest < 0.65 ? 5 : 10;
  return Math.max(0, Math.floor((lowest - 0.05) * fifths) / fifths);
}

function bandSeries(band) {
  const shared = { type: "line", stack: "band", symbol: "none", silent: true, lineStyle: { opacity: 0 }, z: 1 };
  return [
    { ...shared, name: `${band.name} `, data: band.low },
    {
      ...shared,
      name: band.name,
      data: band.high.map((high, index) => (high === null || band.low[index] === null ? null : high - band.low[index])),
      areaStyle: { color: COLOURS.petrol, opacity: 0.1 },
      // Only the legend shows this colour.
      itemStyle: { color: COLOURS.band },
    },
  ];
}

function colourOf(series, index) {
  return COLOURS[series.colour] ?? COLOURS[ORDER[index % ORDER.length]];
}

function drawnSeries(data, series, index) {
  const colour = colourOf(series, index);
  if (data.kind !== "line") {
    return {
      name: series.name, type: "bar", stack: data.kind === "stacked" ? "all" : undefined, data: series.values,
      itemStyle: { color: colour, borderRadius: data.kind === "stacked" ? 0 : [3, 3, 0, 0] }, barMaxWidth: 28,
    };
  }
  const known = series.values.filter((value) => value !== null).length;
  return {
    name: series.name, type: "line", data: series.values, z: 3, connectNulls: false, smooth: false,
    // A single point has no line to be seen by.
    showSymbol: known < 3, symbol: "circle", symbolSize: 6,
    lineStyle: { width: 2.25, color: colour, type: series.dashed ? "dashed" : "solid" },
    itemStyle: { color: colour },
    markArea: index === 0 && data.provisionalFrom !== null ? {
      silent: true, itemStyle: { color: "#f2762e", opacity: 0.06 },
      data: [[{ xAxis: data.provisionalFrom }, { xAxis: data.categories.length - 1 }]],
    } : undefined,
  };
}

// Built node by node: HTML with style attributes is what our policy refuses.
function part(className, text, colour) {
  const element = document.createElement("span");
  element.className = className;
  element.textContent = text;
  if (colour) element.style.background = colour;
  return element;
}

function tooltip(data) {
  const write = formatter(data.unit, 2);
  const row = (name, value, colour) => [
    part("ca-tooltip-swatch", "", colour), part("", name), part("ca-tooltip-value", value),
  ];
  return (points) => {
    const index = points[0].dataIndex;
    const provisional = data.provisionalFrom !== null && index >= data.provisionalFrom;
    const box = document.createElement("div");
    box.className = "ca-tooltip";
    box.append(part("ca-tooltip-title", data.categories[index] + (provisional ? ` (${data.provisionalName})` : "")));
    data.series.forEach((series, place) => {
      const value = series.values[index];
      if (value !== null && value !== undefined) box.append(...row(series.name, write(value), colourOf(series, place)));
    });
    if (data.band && data.band.low[index] !== null) {
      box.append(...row(data.band.name, `${write(data.band.low[index])} – ${write(data.band.high[index])}`, COLOURS.band));
    }
    if (data.counts) box.append(...row(data.countsName, data.counts[index].toLocaleString(locale)));
    return box;
  };
}

// Few bars are all named: long names on lines of their own, on a phone aslant and cut short.
function barNames(data, width) {
  const room = (width - 80) / data.categories.length - 6;
  const long = data.categories.some((name) => name.length * 9 > room);
  if (!long) return { interval: 0 };
  return room > 60
    ? { interval: 0, width: room, overflow: "break" }
    : { interval: 0, width: 84, overflow: "truncate", rotate: 50, hideOverlap: false };
}

function options(data, width) {
  const text = { fontFamily: FONT, color: COLOURS.ink, fontSize: 12 };
  const legend = data.series.length > 1 || data.band;
  return {
    animation: !window.matchMedia("(prefers-reduced-motion: reduce)").matches,
    animationDuration: 300,
    textStyle: text,
    grid: { left: 4, right: 20, top: legend ? 36 : 12, bottom: 4, containLabel: true },
    legend: legend ? {
      top: 0, left: 0, icon: "roundRect", itemWidth: 12, itemHeight: 4, itemGap: 16, textStyle: text, type: "scroll",
      data: [...data.series.map((series) => series.name), ...(data.band ? [data.band.name] : [])],
    } : undefined,
    tooltip: {
      trigger: "axis", confine: true,
      formatter: tooltip(data),
      borderColor: COLOURS.line, backgroundColor: COLOURS.surface, padding: [8, 12], textStyle: { ...text, color: COLOURS.text },
      axisPointer: { type: data.kind === "line" ? "line" : "shadow", lineStyle: { color: COLOURS.pointer } },
    },
    xAxis: {
      type: "category", data: data.categories, boundaryGap: data.kind !== "line",
      axisTick: { show: false }, axisLine: { lineStyle: { color: COLOURS.line } },
      axisLabel: {
        ...text, hideOverlap: true,
        ...(data.kind === "bar" && data.categories.length <= 12 ? barNames(data, width) : {}),
      },
    },
    yAxis: {
      type: "value", min: lowestShown(data), max: data.unit === "percent" && data.kind !== "stacked" ? 1 : undefined,
      minInterval: data.unit === "number" ? 1 : undefined, splitNumber: 4,
      // With the end of the axis given, the quarters fit and what would be chosen does not.
      interval: data.unit === "percent" ? { bar: 0.25, line: lowestShown(data) < 0.6 ? 0.2 : undefined }[data.kind] : undefined,
      splitLine: { lineStyle: { color: COLOURS.line } },
      axisLabel: { ...text, formatter: formatter(data.unit, 0) },
    },
    series: [
      ...(data.band ? bandSeries(data.band) : []),
      ...data.series.map((series, index) => drawnSeries(data, series, index)),
    ],
  };
}

const KIT = { COLOURS, FONT, locale, formatter, part };

// A canvas knows no style sheet: what light-dark() means here is asked of the page. Paper is light.
function chooseColours(element) {
  const probe = element.appendChild(document.createElement("span"));
  probe.style.color = "light-dark(#000, #fff)";
  const isDark = !printing && getComputedStyle(probe).color === "rgb(255, 255, 255)";
  probe.remove();
  Object.assign(COLOURS, isDark ? DARK : LIGHT);
}

function draw(element) {
  const source = document.querySelector(element.dataset.chartSource);
  if (!source || getInstanceByDom(element)) return;
  const data = JSON.parse(source.content.textContent);
  const other = PICTURES[data.kind];
  const chosen = (width) => (other ? other(data, KIT, width) : options(data, width));
  const chart = init(element, null, { renderer: "canvas" });
  let drawnFor = 0;
  const redraw = (width, height) => {
    drawnFor = width;
    chooseColours(document.body);
    // Before the options: what has a height of its own is laid out in it.
    chart.resize({ width, height });
    chart.setOption({ ...chosen(width), animation: false }, true);
    // Now, not with the next frame: there is none before the page is on paper.
    chart.getZr().flush();
  };
  const fit = () => {
    if (other) element.style.height = `${other.height?.(data, element.clientWidth) ?? element.clientHeight}px`;
  };
  fit();
  chart.resize();
  drawnFor = element.clientWidth;
  chooseColours(document.body);
  chart.setOption(chosen(drawnFor));
  new ResizeObserver(() => {
    if (Math.abs(element.clientWidth - drawnFor) < 2 || printing) return;
    fit();
    redraw(element.clientWidth, element.clientHeight);
  }).observe(element);
  const again = () => redraw(element.clientWidth, element.clientHeight);
  new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  // Paper has a width of its own, whatever screen it is printed from.
  window.addEventListener("beforeprint", () => {
    if (other?.height) element.style.height = `${other.height(data, PAPER)}px`;
    redraw(PAPER, element.clientHeight);
  });
  window.addEventListener("afterprint", () => {
    fit();
    again();
  });
}

const PAPER = 680;
let printing = false;
const opened = [];
// The table behind each chart is printed with it; afterwards it is as the reader left it.
window.addEventListener("beforeprint", () => {
  printing = true;
  document.querySelectorAll(".ca-chart-table:not([open])").forEach((table) => {
    table.open = true;
    opened.push(table);
  });
});
window.addEventListener("afterprint", () => {
  printing = false;
  opened.splice(0).forEach((table) => { table.open = false; });
});

function drawAll(root) {
  root.querySelectorAll("[data-chart]").forEach(draw);
}

document.addEventListener("htmx:load", (event) => drawAll(event.detail.elt));
// The text of a canvas is drawn once: wait for the font it is drawn in.
document.fonts.ready.then(() => drawAll(document));
