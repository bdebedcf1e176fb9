// Clicks that do not fit the others, worst first; one key mends one.

import { color, element } from "./api.js";
import { loaded, mark } from "./stage.js";
import { source } from "./main.js";

export class Review {
  constructor(app) {
    this.app = app;
    this.at = 0;
    this.kept = new Set(); // what the user has looked at and found right
    this.keys = [["Enter", "mend"], ["k", "it is right"], ["↑ ↓", "others"], ["e", "annotate the picture"]];
  }

  open() {
    this.app.stage.draw = (context, stage) => this.draw(context, stage);
    this.show();
  }

  update() {
    this.show();
  }

  get doubts() {
    return this.app.state.doubts.filter((one) => !this.kept.has(id(one, this.app.state)));
  }

  get doubt() {
    return this.doubts[Math.min(this.at, this.doubts.length - 1)] ?? null;
  }

  async show() {
    this.fill();
    const { doubt } = this;
    const name = doubt?.picture ?? "";
    if (name === this.shown) return void this.app.stage.paint();
    this.shown = name;
    if (!doubt) return void this.app.stage.clear();
    const picture = this.app.state.pictures.find((one) => one.name === name);
    if (!picture) return;
    const image = await loaded(source(name));
    if (this.shown === name && this.app.tab === this) this.app.stage.show(image, picture.size);
  }

  close() {
    this.shown = null;
  }

  draw(context, stage) {
    const { doubt } = this;
    const picture = this.app.state.pictures.find((one) => one.name === doubt?.picture);
    if (!picture || !stage.image) return;
    this.app.state.keypoints.forEach((name, i) => {
      const at = picture.marks[name];
      if (!at) return;
      const meant = name === doubt.keypoint;
      const place = stage.toScreen(at);
      if (meant) {
        const there = stage.toScreen([doubt.x, doubt.y]);
        context.strokeStyle = "#ffb454";
        context.lineWidth = 2;
        context.beginPath();
        context.moveTo(...place);
        context.lineTo(...there);
        context.stroke();
        mark(context, there, "#ffb454", { ring: true, big: true, label: "it would fit here" });
      }
      mark(context, place, color(i), { big: meant, label: meant || doubt.kind === "swapped" ? name : "" });
    });
  }

  async mend() {
    const { doubt } = this;
    if (!doubt) return;
    if (doubt.kind === "swapped") await this.app.do("SwapSides", { picture: doubt.picture });
    else if (doubt.kind === "off") await this.app.do("Place", { picture: doubt.picture, keypoint: doubt.keypoint, x: doubt.x, y: doubt.y });
    else await this.app.do("Reopen", { picture: doubt.picture });
  }

  keep() {
    if (this.doubt) this.kept.add(id(this.doubt, this.app.state));
    this.show();
  }

  key(key) {
    if (key === "Enter") return void this.mend() ?? true;
    if (key === "k") return void this.keep() ?? true;
    if (key === "ArrowDown" || key === "ArrowUp") {
      const count = Math.max(1, this.doubts.length);
      this.at = (this.at + (key === "ArrowDown" ? 1 : -1) + count) % count;
      return void this.show() ?? true;
    }
    if (key === "e" && this.doubt) {
      this.app.picture = this.doubt.picture;
      this.app.tabs.annotate.keep = true;
      return void this.app.open("annotate") ?? true;
    }
    return false;
  }

  fill() {
    const { doubts } = this;
    const cards = doubts.map((one, i) => {
      const card = element("div", { className: `card ${one === this.doubt ? "on" : ""}`, textContent: one.message });
      card.onclick = () => { this.at = i; this.show(); };
      return card;
    });
    const verb = { swapped: "swap left and right", off: "move it there", disagrees: "take it out of the class" }[this.doubt?.kind];
    const mend = element("button", { id: "mend", className: "main", textContent: `${verb} (Enter)` });
    mend.onclick = () => this.mend();
    const keep = element("button", { textContent: "it is right (k)" });
    keep.onclick = () => this.keep();
    const worst = this.app.state.pictures.filter((one) => one.view).sort((a, b) => b.view.misfit - a.view.misfit).slice(0, 10);
    const rows = worst.map((one) => {
      const row = element("tr", {}, element("td", { textContent: one.name }),
        element("td", { className: "n", textContent: `${(100 * one.view.misfit).toFixed(1)} %` }));
      row.style.cursor = "pointer";
      row.onclick = () => { this.app.picture = one.name; this.app.tabs.annotate.keep = true; this.app.open("annotate"); };
      return row;
    });
    this.app.panel.replaceChildren(
      element("h2", { textContent: doubts.length ? `${doubts.length} to look at` : "Nothing looks wrong" }),
      ...(this.app.state.class ? [] : [element("p", { textContent: "Clicks are compared with the class once there is one." })]),
      ...(doubts.length ? [element("div", { className: "row" }, mend, keep)] : []),
      ...cards,
      ...(rows.length ? [element("h3", { textContent: "Pictures that fit worst" }), element("table", {}, ...rows)] : []),
    );
  }
}

function id(doubt, state) {
  const marks = state.pictures.find((one) => one.name === doubt.picture)?.marks ?? {};
  return JSON.stringify([doubt.picture, doubt.kind, doubt.keypoint, doubt.keypoint ? marks[doubt.keypoint] : marks]);
}
