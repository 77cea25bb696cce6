// Small live charts with uPlot (MIT, see uplot-LICENSE.txt), in the colours of the page.
import { h } from "./dom.js";

const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400];
const dark = matchMedia("(prefers-color-scheme: dark)");
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// A chart of one or two series; `values` writes the numbers of its axis. The second line is dashed, not only coloured.
export function chart({ title, names, values, tall = false, overTime = true, steps = false }) {
  const legend = h("div", { class: "legend" }, names.map((name, at) => h("span", {}, h("i", { class: at ? "second" : "" }), name)));
  const box = h("div", { class: tall ? "chart tall" : "chart", role: "img", "aria-label": title });
  const root = h("div", { class: "card chart-card" }, h("div", { class: "chart-head" }, h("h2", {}, title), names.length > 1 ? legend : ""), box);
  let plot = null;
  let data = null;

  function make() {
    plot?.destroy();
    const axis = { stroke: colour("--dim"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    const line = (at) => ({
      stroke: colour(at ? "--series-2" : "--series-1"), width: 1.6, spanGaps: true, dash: at ? [6, 4] : undefined,
      points: { show: !overTime && data[0].length < 60, size: 4 }, paths: steps ? uPlot.paths.stepped({ align: 1 }) : undefined,
    });
    plot = new uPlot({
      width: box.clientWidth || 300, height: box.clientHeight || 150, legend: { show: false }, cursor: { y: false, drag: { setScale: false } },
      scales: { x: { time: overTime }, y: { range: around } },
      axes: [{ ...axis, size: 26, space: 60, incrs: overTime ? SECONDS : undefined, values: overTime ? "{HH}:{mm}:{ss}" : undefined }, { ...axis, size: 58, space: 28, values: (_, ticks) => ticks.map(values) }],
      series: [{}, ...names.map((_, at) => line(at))],
    }, data, box);
  }

  const resized = new ResizeObserver(() => plot?.setSize({ width: box.clientWidth, height: box.clientHeight }));
  resized.observe(box);
  const recolour = () => data && make();
  dark.addEventListener("change", recolour);
  return {
    root,
    set(fresh) {
      data = fresh;
      const newest = names.map((name, at) => `${name} ${data[at + 1].length ? values(data[at + 1].at(-1)) || "none" : "none"}`);
      box.setAttribute("aria-label", overTime ? `${title}; now: ${newest.join(", ")}` : title);
      if (plot) plot.setData(data);
      else if (data[0].length) make();
    },
    end() {
      resized.disconnect();
      dark.removeEventListener("change", recolour);
      plot?.destroy();
    },
  };
}

// The range of an axis: from zero where that is near, and never of no height.
function around(_, low, high) {
  if (low === null || high === null) return [0, 1];
  if (low >= 0 && low <= high * 0.7) low = 0;
  const room = (high - low) * 0.08 || Math.abs(high) * 0.1 || 1;
  return [low === 0 ? 0 : low - room, high + room];
}
