// The class in 3D: surface, keypoints, skeleton, and sliders that deform it as its pictures do.

import { element, get, tried } from "./api.js";

export class See {
  constructor(app) {
    this.app = app;
    this.keys = [["drag", "turn"], ["wheel", "nearer"], ["c", "colors"], ["0", "mean shape"]];
    this.turn = [0.6, 0.35];
    this.size = 1;
    this.colors = "features";
    this.amounts = [];
  }

  open() {
    const { stage } = this.app;
    stage.draw = (context) => this.draw(context);
    let from = null;
    stage.handler = {
      down: (at, event) => (from = [event.clientX, event.clientY]),
      move: (at, event, held) => {
        if (!held || !from) return;
        this.turn[0] -= (event.clientX - from[0]) / 160;
        this.turn[1] = Math.min(Math.max(this.turn[1] + (event.clientY - from[1]) / 160, -1.5), 1.5);
        from = [event.clientX, event.clientY];
        stage.paint();
      },
    };
    this.wheel = (event) => {
      this.size *= Math.exp(-event.deltaY / 700);
      stage.paint();
    };
    stage.canvas.addEventListener("wheel", this.wheel);
    this.load();
  }

  close() {
    this.app.stage.canvas.removeEventListener("wheel", this.wheel);
  }

  update(before) {
    if (before?.class?.revision !== this.app.state.class?.revision) this.load();
  }

  async load() {
    this.shape = this.app.state.class ? await tried(() => get("class")) : null;
    if (this.app.tab !== this) return;
    this.amounts = (this.shape?.modes ?? []).map((_, i) => this.amounts[i] ?? 0);
    this.fill();
    this.app.over.replaceChildren(
      ...(this.shape ? [] : [element("div", { className: "empty", textContent: `A class is built once ${this.app.state.fewest} pictures are confirmed.` })]),
    );
    this.app.stage.paint();
    this.app.stage.canvas.dataset.points = this.shape?.cloud.length ?? 0;
  }

  key(key) {
    if (key === "c") this.colors = this.colors === "features" ? "certainty" : "features";
    else if (key === "0") this.amounts = this.amounts.map(() => 0);
    else return false;
    this.fill();
    this.app.stage.paint();
    return true;
  }

  deformed(points, key) {
    return points.map((point, i) => point.map((value, axis) =>
      this.shape.modes.reduce((sum, mode, m) => sum + this.amounts[m] * mode[key][i][axis], value)));
  }

  draw(context) {
    if (!this.shape) return;
    const { clientWidth: w, clientHeight: h } = this.app.stage.canvas;
    const [azimuth, elevation] = this.turn, [ca, sa, ce, se] = [Math.cos(azimuth), Math.sin(azimuth), Math.cos(elevation), Math.sin(elevation)];
    const unit = (Math.min(w, h) / 4.2) * this.size;
    const placed = ([x, y, z]) => {
      const right = -sa * x + ca * y, near = ce * (ca * x + sa * y) + se * z;
      const up = -se * (ca * x + sa * y) + ce * z;
      const grown = 4 / (4 - near * 0.5);
      return [w / 2 + right * unit * grown, h / 2 - up * unit * grown, near];
    };
    const cloud = this.deformed(this.shape.cloud, "cloud").map(placed);
    const order = cloud.map((_, i) => i).sort((a, b) => cloud[a][2] - cloud[b][2]);
    const [low, high] = [Math.min(...this.shape.certainty), Math.max(...this.shape.certainty)];
    for (const i of order) {
      const [x, y, near] = cloud[i], light = Math.min(1, Math.max(0.45, 0.75 + near * 0.3));
      const c = this.colors === "features" ? this.shape.features[i] : ramp((this.shape.certainty[i] - low) / (high - low || 1));
      context.fillStyle = `rgb(${c.map((value) => Math.round(value * light)).join()})`;
      context.beginPath();
      context.arc(x, y, 3 + 1.2 * light, 0, 7);
      context.fill();
    }
    const points = this.deformed(this.shape.keypoints.map((one) => one.xyz), "keypoints").map(placed);
    context.strokeStyle = "#fffc";
    context.lineWidth = 1.5;
    for (const [a, b] of this.shape.edges) {
      if (!this.shape.keypoints[a].known || !this.shape.keypoints[b].known) continue;
      context.beginPath();
      context.moveTo(points[a][0], points[a][1]);
      context.lineTo(points[b][0], points[b][1]);
      context.stroke();
    }
    context.font = "12px system-ui, 'DejaVu Sans', sans-serif";
    this.shape.keypoints.forEach((one, i) => {
      if (!one.known) return;
      const [x, y] = points[i];
      context.fillStyle = "#ffd23c";
      context.beginPath();
      context.arc(x, y, 4.5, 0, 7);
      context.fill();
      const wide = context.measureText(one.name).width;
      context.fillStyle = "#000a";
      context.fillRect(x + 7, y - 16, wide + 6, 16);
      context.fillStyle = "#fff";
      context.fillText(one.name, x + 10, y - 4);
    });
  }

  fill() {
    const { shape } = this;
    const made = this.app.state.class;
    const sliders = this.amounts.map((amount, i) => {
      const input = element("input", { type: "range", min: -2.5, max: 2.5, step: 0.05, value: amount });
      const told = element("span", { className: "tag", textContent: amount.toFixed(1) });
      input.oninput = () => {
        this.amounts[i] = Number(input.value);
        told.textContent = this.amounts[i].toFixed(1);
        this.app.stage.paint();
      };
      return element("label", { className: "slider" }, `mode ${i + 1}`, input, told);
    });
    const choose = element("select", {}, ...["features", "certainty"].map((name) => element("option", { value: name, textContent: `colored by ${name}`, selected: name === this.colors })));
    choose.onchange = () => { this.colors = choose.value; this.app.stage.paint(); };
    this.app.panel.replaceChildren(
      element("h2", { textContent: "The class" }),
      ...(made ? [
        element("p", { textContent: `${made.images} pictures, ${shape?.cloud.length ?? 0} surface points, ${(made.bytes / 1e6).toFixed(1)} MB, built in ${made.seconds} s; ${made.metric_scale > 0 ? "its size is known" : "its size is unknown"}` }),
        choose,
        element("h3", { textContent: "Shape: how its objects differ" }),
        ...(sliders.length ? sliders : [element("p", { textContent: "Its pictures show no differences in shape." })]),
        ...made.warnings.map((text) => element("div", { className: "card warn", textContent: text })),
        ...made.skipped.map((one) => element("div", { className: "card bad", textContent: `${one.name}: ${one.reason}` })),
      ] : []),
    );
  }
}

function ramp(share) {
  return [60 + 195 * (1 - share), 70 + 160 * share, 90 + 40 * share];
}
