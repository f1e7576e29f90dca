// The charts of alliance/portal/pictures.py: heat map, calendar, distribution, intervals.
// Each is a function of the data, the kit of charts.js and the width there is; charts.js draws them.
// From worst to best: orange to petrol, told apart by those who do not see red or green, and in grey.
const STEPS = ["#b5500f", "#e9a05b", "#f3e3c3", "#8fc7ca", "#0b6e75"];
const DARK_STEPS = [0, 4];
const NARROW = 560;

function step(data, share) {
  return data.steps.filter((end) => share >= end).length;
}

// Few behind a share: its colour in stripes, so that it does not look as sure as the others.
function striped(kit, colour) {
  const size = 8;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  const pen = canvas.getContext("2d");
  pen.fillStyle = kit.COLOURS.few;
  pen.fillRect(0, 0, size, size);
  pen.strokeStyle = colour;
  pen.lineWidth = 2;
  for (const shift of [-size, 0, size]) {
    pen.beginPath();
    pen.moveTo(shift, size);
    pen.lineTo(shift + size, 0);
    pen.stroke();
  }
  return { image: canvas, repeat: "repeat" };
}

function spotStyle(kit, data, share, n) {
  if (share === null) return { color: kit.COLOURS.nothing };
  const colour = STEPS[step(data, share)];
  return { color: n < data.few ? striped(kit, colour) : colour };
}

function square([x, y], [width, height], gap, fill, text) {
  const shape = { x: x - width / 2 + gap, y: y - height / 2 + gap, width: width - 2 * gap, height: height - 2 * gap, r: 2 };
  const rect = { type: "rect", shape, style: { fill }, emphasis: { style: { stroke: "#14262b", lineWidth: 1 } } };
  const children = text ? [rect, { type: "text", x, y, silent: true, style: text }] : [rect];
  return { type: "group", children };
}

function percentLabel(kit, share) {
  return kit.formatter("percent", 0)(share);
}

// The legend of colours is drawn, not a visualMap: that knows no stripes.
function stepLegend(data, kit, text) {
  const ends = data.steps.map((end) => percentLabel(kit, end));
  const names = [`< ${ends[0]}`, ...ends.slice(1).map((end, place) => `${ends[place]} – ${end}`), `≥ ${ends.at(-1)}`];
  const items = names.map((name, place) => ({ name, color: STEPS[place] }));
  items.push({ name: `n ${data.fewName}`, color: striped(kit, kit.COLOURS.ink) }, { name: data.noneName, color: kit.COLOURS.nothing });
  return {
    legend: {
      top: 0, left: 0, icon: "rect", itemWidth: 14, itemHeight: 10, itemGap: 12, textStyle: text, selectedMode: false,
      data: items.map((item) => ({ name: item.name, itemStyle: { color: item.color } })),
    },
    // A legend names series: these have nothing but a name.
    series: items.map((item) => ({ name: item.name, type: "custom", coordinateSystem: "none", renderItem: () => null, data: [], itemStyle: { color: item.color } })),
  };
}

function box(kit, title, rows) {
  const element = document.createElement("div");
  element.className = "ca-tooltip";
  element.append(kit.part("ca-tooltip-title", title));
  rows.forEach(([name, value, colour]) => {
    element.append(kit.part("ca-tooltip-swatch", "", colour), kit.part("", name), kit.part("ca-tooltip-value", value));
  });
  return element;
}

function shareRows(data, kit, share, n) {
  const colour = share === null ? kit.COLOURS.nothing : STEPS[step(data, share)];
  const written = share === null ? data.noneName : kit.formatter("percent", 2)(share);
  const count = n.toLocaleString(kit.locale) + (n < data.few ? ` (${data.fewName})` : "");
  return [[data.shareName, written, colour], [data.countName, count]];
}

function base(kit) {
  const text = { fontFamily: kit.FONT, color: kit.COLOURS.ink, fontSize: 12 };
  return {
    text,
    options: {
      animation: !window.matchMedia("(prefers-reduced-motion: reduce)").matches,
      animationDuration: 300,
      textStyle: text,
      tooltip: {
        trigger: "item", confine: true, borderColor: kit.COLOURS.line, backgroundColor: kit.COLOURS.surface, padding: [8, 12],
        textStyle: { ...text, color: kit.COLOURS.text },
      },
    },
  };
}

function legendHeight(width) {
  return width < NARROW ? 78 : width < 780 ? 54 : 34;
}

// --- heat map --------------------------------------------------------------------------------

const SPOT = 30;
function shownSide(length, width) {
  return width < NARROW ? Math.min(length, 7) : length;
}

function heatmap(data, kit, width) {
  const { text, options } = base(kit);
  const across = data.across.slice(0, shownSide(data.across.length, width));
  const down = data.down.slice(0, shownSide(data.down.length, width));
  const spots = data.spots.filter(([x, y]) => x < across.length && y < down.length);
  const roomy = (width - 110) / across.length > 46;
  const legend = stepLegend(data, kit, text);
  return {
    ...options,
    legend: legend.legend,
    grid: { left: 4, right: 8, top: legendHeight(width) + 8, bottom: 4, containLabel: true },
    tooltip: {
      ...options.tooltip,
      formatter: ({ data: { value: [x, y, share, n] } }) => box(kit, `${down[y]} → ${across[x]}`, shareRows(data, kit, share, n)),
    },
    xAxis: {
      type: "category", data: across, position: "top", axisTick: { show: false }, axisLine: { show: false }, splitArea: { show: false },
      axisLabel: { ...text, interval: 0, rotate: roomy ? 0 : 50, width: roomy ? undefined : 90, overflow: "truncate" },
    },
    yAxis: {
      type: "category", data: down, inverse: true, axisTick: { show: false }, axisLine: { show: false },
      axisLabel: { ...text, interval: 0, width: 96, overflow: "truncate" },
    },
    series: [...legend.series, {
      // Custom, as the next: ECharts' own heat map is painted bit by bit, and paper does not wait.
      type: "custom", encode: { x: 0, y: 1 },
      data: spots.map(([x, y, share, n]) => ({ value: [x, y, share, n] })),
      renderItem: (params, api) => {
        const [, , share, n] = spots[params.dataIndex];
        const labelled = roomy && share !== null && n >= data.few;
        return square(api.coord([api.value(0), api.value(1)]), api.size([1, 1]), 2, spotStyle(kit, data, share, n).color, labelled && {
          text: percentLabel(kit, share), font: `11px ${kit.FONT}`, align: "center", verticalAlign: "middle",
          fill: DARK_STEPS.includes(step(data, share)) ? "#fff" : "#14262b",
        });
      },
    }],
  };
}
heatmap.height = (data, width) =>
  legendHeight(width) + 70 + shownSide(data.down.length, width) * Math.max(SPOT, Math.min(40, width / 20));

// --- calendar --------------------------------------------------------------------------------

function calendar(data, kit, width) {
  const { text, options } = base(kit);
  const upright = width < NARROW;
  const legend = stepLegend(data, kit, text);
  const small = { ...text, fontSize: 11 };
  const size = upright ? Math.floor((width - 60) / 7) : Math.min(18, Math.floor((width - 60) / 54));
  return {
    ...options,
    legend: legend.legend,
    tooltip: {
      ...options.tooltip,
      formatter: ({ data: { value: [day, , share, n] } }) => box(kit, dayName(day, kit), shareRows(data, kit, share, n)),
    },
    calendar: {
      top: legendHeight(width) + 26, left: upright ? 48 : 40, range: data.range, orient: upright ? "vertical" : "horizontal",
      cellSize: upright ? [size, DAY_ROW] : [size, size],
      splitLine: { lineStyle: { color: kit.COLOURS.pointer, width: 1 } },
      itemStyle: { color: kit.COLOURS.surface, borderColor: kit.COLOURS.line, borderWidth: 1 },
      dayLabel: { ...small, firstDay: 1, nameMap: names(kit, 7, { weekday: "short" }, (number) => new Date(Date.UTC(2023, 0, 1 + number))) },
      monthLabel: { ...small, nameMap: names(kit, 12, { month: "short" }, (number) => new Date(Date.UTC(2023, number, 15))) },
      yearLabel: { show: false },
    },
    series: [...legend.series, {
      type: "custom", coordinateSystem: "calendar", z: 3,
      data: data.days.map(([day, share, n]) => ({ value: [day, n, share, n] })),
      renderItem: (params, api) => {
        const [, share, n] = data.days[params.dataIndex];
        const { cellWidth, cellHeight } = params.coordSys;
        return square(api.coord(api.value(0)), [cellWidth, cellHeight], 1, spotStyle(kit, data, share, n).color);
      },
    }],
  };
}
const DAY_ROW = 15;
calendar.height = (data, width) => {
  if (width < NARROW) return legendHeight(width) + 40 + 54 * DAY_ROW;
  return legendHeight(width) + 40 + 7 * Math.min(18, Math.floor((width - 60) / 54));
};

// From Sunday, as ECharts counts, and 1 January 2023 was one; from January.
function names(kit, count, style, dateOf) {
  const write = new Intl.DateTimeFormat(kit.locale, { ...style, timeZone: "UTC" });
  return Array.from({ length: count }, (_nothing, number) => write.format(dateOf(number)));
}

function dayName(day, kit) {
  return new Date(`${day}T12:00:00`).toLocaleDateString(kit.locale, { dateStyle: "full" });
}

// --- distribution ----------------------------------------------------------------------------

// Marks lie close to each other at times: then the one before writes above the one after.
function markLevels(marks) {
  const levels = marks.map(() => 0);
  for (let place = marks.length - 2; place >= 0; place -= 1) {
    if (marks[place + 1].at - marks[place].at < 2) levels[place] = levels[place + 1] + 1;
  }
  return levels;
}

function distribution(data, kit, width) {
  const levels = markLevels(data.marks);
  const { text, options } = base(kit);
  const narrow = width < NARROW;
  const whole = kit.formatter("number", 0);
  return {
    ...options,
    grid: { left: 4, right: 24, top: 30 + 16 * Math.max(0, ...levels), bottom: 4, containLabel: true },
    tooltip: {
      ...options.tooltip, trigger: "item",
      formatter: ({ dataIndex }) => box(kit, `${data.edges[dataIndex]} – ${data.edges[dataIndex + 1]}`, [
        [data.countName, whole(data.counts[dataIndex]), kit.COLOURS.petrol],
        [data.shareName, kit.formatter("percent", 2)(data.counts[dataIndex] / data.total)],
      ]),
    },
    xAxis: {
      type: "value", min: 0, max: data.counts.length, interval: 1, splitLine: { show: false },
      axisLine: { lineStyle: { color: kit.COLOURS.line } }, axisTick: { show: true },
      axisLabel: { ...text, fontSize: 11, hideOverlap: true, rotate: narrow ? 50 : 0, formatter: (value) => data.edges[value] ?? "" },
    },
    yAxis: {
      type: "value", min: 0, minInterval: 1, splitNumber: 4, splitLine: { lineStyle: { color: kit.COLOURS.line } },
      axisLabel: { ...text, formatter: whole },
    },
    series: [{
      type: "custom", name: data.countName, encode: { x: [0, 1], y: 2 },
      data: data.counts.map((count, place) => [place, place + 1, count]),
      itemStyle: { color: kit.COLOURS.petrol },
      renderItem: (_params, api) => {
        const [left, top] = api.coord([api.value(0), api.value(2)]);
        const [right, bottom] = api.coord([api.value(1), 0]);
        return {
          type: "rect", shape: { x: left + 1, y: top, width: right - left - 2, height: bottom - top, r: [3, 3, 0, 0] },
          style: { fill: api.visual("color") }, emphasis: { style: { fill: "#0f8b94" } },
        };
      },
      markLine: {
        symbol: "none", silent: true, animation: false,
        data: data.marks.map((mark, place) => ({
          xAxis: mark.at, lineStyle: { color: kit.COLOURS.orange, width: 1.5, type: ["solid", "dashed", "dotted"][place % 3] },
          label: {
            formatter: `${mark.name}  ${mark.text}`, position: "end", distance: [0, 6 + 16 * levels[place]],
            align: mark.at > data.counts.length * 0.7 ? "right" : "left", color: kit.COLOURS.text, fontFamily: kit.FONT, fontSize: 11,
          },
        })),
      },
    }],
  };
}

// --- intervals -------------------------------------------------------------------------------

function intervals(data, kit, width) {
  const { text, options } = base(kit);
  const shown = data.whiskers;
  const lowest = Math.min(...shown.map((whisker) => whisker.low));
  const percent = kit.formatter("percent", 2);
  const colourOf = (whisker) => (whisker.is_own ? kit.COLOURS.orange : whisker.is_few ? kit.COLOURS.grey : kit.COLOURS.petrol);
  return {
    ...options,
    grid: { left: 4, right: 20, top: 8, bottom: 4, containLabel: true },
    tooltip: {
      ...options.tooltip,
      formatter: ({ dataIndex }) => {
        const whisker = shown[dataIndex];
        return box(kit, whisker.name, [
          [data.shareName, percent(whisker.share), colourOf(whisker)],
          [data.intervalName, `${percent(whisker.low)} – ${percent(whisker.high)}`],
          [data.countName, whisker.n.toLocaleString(kit.locale)],
        ]);
      },
    },
    xAxis: {
      type: "value", min: Math.max(0, Math.floor((lowest - 0.02) * 20) / 20), max: 1, splitNumber: width < NARROW ? 3 : 6,
      splitLine: { lineStyle: { color: kit.COLOURS.line } }, axisLabel: { ...text, hideOverlap: true, formatter: kit.formatter("percent", 0) },
    },
    yAxis: {
      type: "category", inverse: true, data: shown.map((whisker) => whisker.name), axisTick: { show: false }, axisLine: { show: false },
      axisLabel: { ...text, interval: 0, width: width < NARROW ? 110 : 200, overflow: "truncate" },
    },
    series: [{
      type: "custom", encode: { x: [1, 2, 3], y: 0 },
      data: shown.map((whisker, place) => [place, whisker.low, whisker.share, whisker.high]),
      renderItem: (params, api) => {
        const whisker = shown[params.dataIndex];
        const colour = colourOf(whisker);
        const [low, middle] = api.coord([api.value(1), api.value(0)]);
        const [high] = api.coord([api.value(3), api.value(0)]);
        const [at] = api.coord([api.value(2), api.value(0)]);
        const line = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style: { stroke: colour, lineWidth: 2 } });
        return {
          type: "group",
          children: [
            // Something to point at: a line alone is missed.
            { type: "rect", shape: { x: low - 4, y: middle - 11, width: high - low + 8, height: 22 }, style: { fill: "transparent" } },
            line(low, middle, high, middle), line(low, middle - 5, low, middle + 5), line(high, middle - 5, high, middle + 5),
            { type: "circle", shape: { cx: at, cy: middle, r: 5 }, style: { fill: whisker.is_few ? kit.COLOURS.surface : colour, stroke: colour, lineWidth: 2 } },
          ],
        };
      },
    }],
  };
}
intervals.height = (data) => 44 + 30 * data.whiskers.length;

export const PICTURES = { heatmap, calendar, distribution, intervals };
