// Find the class live, see why, carry a clicked point over, and hand the class to the node.

import { color, element, get, post, say, tried } from "./api.js";
import { loaded, mark } from "./stage.js";
import { ring } from "./ring.js";
import { source } from "./main.js";

const EVERY = 500; // ms between live answers
const STATES = { VISIBLE: "#57d38c", OCCLUDED: "#ffb454", OUT_OF_IMAGE: "#5ab0ff", NO_DEPTH: "#c9e66b", REJECTED: "#ff6b6b", UNKNOWN: "#8790a0" };

export class Use {
  constructor(app) {
    this.app = app;
    this.keys = [["l", "live"], ["p", "this picture explained"], ["click", "carry the point over"], ["Space", "next picture of a folder"]];
    this.mode = "picture"; // or "live"
    this.answer = null;
    this.points = [];
  }

  open() {
    this.running = {};
    this.app.stage.draw = (context, stage) => this.draw(context, stage);
    this.app.stage.handler = { down: (at) => this.click(at) };
    this.mode = "picture";
    this.chosen();
  }

  close() {
    this.running = null;
  }

  update(before) {
    this.fill();
  }

  async chosen() {
    this.mode = "picture";
    this.answer = null;
    this.points = [];
    const picture = this.app.current;
    this.fill();
    if (!picture) return void this.app.stage.clear();
    const mine = this.running;
    const image = await tried(() => loaded(source(picture.name)));
    if (this.running === mine && image && this.mode === "picture") this.app.stage.show(image, picture.size);
    this.fill();
  }

  async live() {
    this.mode = "live";
    this.answer = null;
    this.points = [];
    const mine = (this.running = {});
    this.fill();
    let shown = 0;
    while (this.running === mine && this.mode === "live") {
      let told;
      try {
        told = await get("live");
      } catch (error) {
        say(error.message);
        this.mode = "picture";
        break;
      }
      if (told.number && told.number !== shown) {
        await this.shot(told, mine);
        shown = told.number;
      }
      await new Promise((resolve) => setTimeout(resolve, EVERY));
    }
    this.fill();
  }

  // Show an answer over the very picture that it is about.
  async shot(told, mine) {
    const response = await fetch(`/api/seen?number=${told.number}`);
    if (!response.ok || this.running !== mine) return;
    const size = response.headers.get("x-size").split(",").map(Number);
    const address = URL.createObjectURL(await response.blob());
    const image = await loaded(address);
    URL.revokeObjectURL(address);
    if (this.running !== mine) return;
    this.answer = told;
    this.app.stage.show(image, size);
    this.fill();
  }

  async again(number) {
    const mine = (this.running = {});
    this.mode = "again";
    const told = await tried(() => get(`seen?number=${number}&told=1`));
    if (told) await this.shot(told, mine);
  }

  async explain() {
    if (!this.app.current) return;
    await this.chosen();
    say("the class is being aligned ...", true);
    const name = this.app.picture;
    const told = await tried(() => get(`explain?name=${encodeURIComponent(name)}`));
    if (this.app.picture !== name || !told) return;
    this.answer = told;
    this.fill();
    this.app.stage.paint();
  }

  async click(at) {
    if (this.mode !== "picture" || !this.app.current || !this.app.stage.inside(at)) return;
    if (!this.app.state.class) return void say("there is no class yet");
    this.points = [at];
    this.app.stage.paint();
    const live = this.app.state.source !== null;
    const target = live ? "" : this.other();
    if (!live && !target) return void say("a second picture is needed to carry the point over to");
    say("carrying the point over ...", true);
    const content = { picture: this.app.picture, points: [at], target };
    const mine = (this.running = {});
    const told = await tried(() => post(this.viaNode ? "node/transfer" : "transfer", content));
    if (!told || this.running !== mine) return;
    this.from = this.app.picture;
    if (told.number) {
      this.mode = "again";
      await this.shot(told, mine);
    } else {
      const picture = this.app.state.pictures.find((one) => one.name === target);
      if (picture) {
        const image = await loaded(source(target));
        this.mode = "again";
        this.answer = told;
        this.app.stage.show(image, picture.size);
      } else {
        this.answer = told;
      }
      this.fill();
    }
  }

  other() {
    const names = this.app.state.pictures.map((one) => one.name);
    const at = names.indexOf(this.app.picture);
    return names.length > 1 ? names[(at + 1) % names.length] : "";
  }

  key(key) {
    if (key === "l") return void this.live() ?? true;
    if (key === "p") return void this.explain() ?? true;
    if (key === " " && this.app.state.source && !this.app.state.source.live) return void this.app.act("step", { by: 1 }) ?? true;
    if (key === "ArrowRight" || key === "ArrowLeft") return void this.app.turn(key === "ArrowRight" ? 1 : -1) ?? true;
    return false;
  }

  draw(context, stage) {
    if (this.points.length && this.mode === "picture") {
      this.points.forEach((at) => mark(context, stage.toScreen(at), "#ffffff", { big: true, label: "this point" }));
    }
    if (!this.answer || !stage.image) return;
    context.fillStyle = "#ffffff30";
    for (const at of this.answer.surface ?? []) {
      const [x, y] = stage.toScreen(at);
      context.fillRect(x - 1.5, y - 1.5, 3, 3);
    }
    const places = this.answer.points.map((one) => one.pixel && stage.toScreen(one.pixel));
    context.strokeStyle = "#ffffffb0";
    context.lineWidth = 1.5;
    for (const [a, b] of this.answer.edges) {
      if (!places[a] || !places[b]) continue;
      context.beginPath();
      context.moveTo(...places[a]);
      context.lineTo(...places[b]);
      context.stroke();
    }
    this.answer.points.forEach((one, i) => {
      if (places[i]) mark(context, places[i], STATES[one.state], { ring: one.state !== "VISIBLE", label: one.name });
    });
    if (this.answer.refusal) {
      context.strokeStyle = "#ff6b6b";
      context.lineWidth = 5;
      context.strokeRect(stage.view.left, stage.view.top, stage.size[1] * stage.view.scale, stage.size[0] * stage.view.scale);
    }
  }

  fill() {
    const { state } = this.app;
    const live = button("live", this.mode === "live" ? "live is on" : "find it live (l)", () => this.live(), { disabled: !state.source || !state.class });
    const why = button("explain", "explain this picture (p)", () => this.explain(), { disabled: !state.class || !this.app.current });
    const back = button("back", "back to the picture", () => this.chosen(), { hidden: this.mode === "picture" });
    this.app.panel.replaceChildren(
      element("h2", { textContent: "Use" }),
      element("p", { textContent: !state.class ? "There is no class yet."
        : this.mode === "picture" ? `Click a point of ${this.app.picture}: it is carried over to ${state.source ? "what the camera shows" : "the next picture"}.` : "" }),
      element("div", { className: "row" }, live, why, back),
      ...this.told(), ...this.node(), ...this.exports(),
      element("h3", { textContent: "Earlier answers" }), this.earlier(),
    );
  }

  told() {
    const { answer } = this;
    if (!answer) return [];
    const head = answer.found
      ? element("div", { className: "card good", id: "answer", textContent: `found, confidence ${number(answer.confidence)}${answer.least === null ? "" : ` (at least ${answer.least})`}` })
      : element("div", { className: "card bad", id: "answer", textContent: `refused: ${answer.refusal?.code}. ${answer.refusal?.message}` });
    const rows = answer.points.map((one) => {
      const dot = element("span", { className: "dot" });
      dot.style.background = STATES[one.state];
      dot.style.display = "inline-block";
      const where = one.xyz ? `${one.xyz.map((value) => value.toFixed(3)).join(" ")} m` : one.pixel ? one.pixel.map((value) => value.toFixed(0)).join(" ") : "";
      return element("tr", { data: { state: one.state, x: one.pixel?.[0] ?? "", y: one.pixel?.[1] ?? "" } }, element("td", {}, dot), element("td", { textContent: one.name }),
        element("td", { className: "tag", textContent: one.state.toLowerCase().replaceAll("_", " ") }), element("td", { className: "n tag", textContent: where }),
        element("td", { className: "n", textContent: one.score.toFixed(2) }));
    });
    const terms = Object.entries(answer.energy ?? {});
    const most = Math.max(...terms.map(([, value]) => Math.abs(value)), 1e-9);
    const bars = terms.map(([name, value]) => {
      const bar = element("div", { className: "bar" });
      bar.style.width = `${Math.round((90 * Math.abs(value)) / most)}px`;
      return element("tr", {}, element("td", { textContent: name.replaceAll("_", " ") }), element("td", {}, bar), element("td", { className: "n", textContent: value.toFixed(3) }));
    });
    return [
      head,
      ...(answer.refusal?.fix ? [element("p", { textContent: answer.refusal.fix })] : []),
      ...(answer.note ? [element("p", { className: "warn", textContent: answer.note })] : []),
      ...(answer.azimuth !== undefined ? [ring(this.app.state.ring, answer)] : []),
      element("table", { id: "points" }, ...rows),
      ...(bars.length ? [element("h3", { textContent: "Energy, by term" }), element("table", {}, ...bars)] : []),
    ];
  }

  node() {
    const { node } = this.app.state;
    if (!node) return [];
    const names = node.classes.length ? `holds ${node.classes.join(", ")}` : "holds no class";
    const load = button("load", "load into the node", async () => {
      const told = await tried(() => post("node/load"));
      if (told) say(told.told, true);
    }, { disabled: !node.reachable || !this.app.state.class });
    const via = element("input", { type: "checkbox", checked: this.viaNode ?? false, id: "via" });
    via.onchange = () => (this.viaNode = via.checked);
    const store = button("store", "store as demonstration", () => this.store(), { disabled: !node.reachable || this.mode !== "picture" || !this.app.current });
    return [
      element("h3", { textContent: `Node ${node.name}` }),
      element("p", { className: node.reachable ? "good" : "bad", textContent: node.reachable ? `running, ${names}` : "does not answer: is it running?" }),
      element("div", { className: "row" }, load, store),
      element("label", {}, via, " points are carried over by the node"),
    ];
  }

  async store() {
    const id = prompt("name of the demonstration", this.app.picture);
    if (!id) return;
    const marks = Object.entries(this.app.current.marks).filter(([, at]) => at);
    const points = this.points.length ? this.points : marks.map(([, at]) => at);
    const names = this.points.length ? ["point_1"] : marks.map(([name]) => name);
    if (!points.length) return void say("click a point first, or annotate the picture");
    const told = await tried(() => post("node/store", { picture: this.app.picture, points, names, id }));
    if (told) say(told.told, true);
  }

  exports() {
    const link = (kind, text) => element("a", { href: `/api/export?kind=${kind}`, download: "" }, element("button", { textContent: text, disabled: kind === "class" ? !this.app.state.class : !this.app.state.pictures.some((one) => one.done) }));
    return [element("h3", { textContent: "Take it with you" }), element("div", { className: "row" }, link("class", "class file"), link("folder", "data set"), link("coco", "COCO"))];
  }

  earlier() {
    const list = element("div", { className: "row" });
    tried(async () => {
      for (const one of (await get("seen")).slice(0, 12)) {
        const text = one.found ? `${one.number}: ${number(one.confidence)}` : `${one.number}: ${one.code}`;
        list.append(button(`seen-${one.number}`, text, () => this.again(one.number), { className: one.found ? "good" : "bad" }));
      }
    });
    return list;
  }
}

function button(id, textContent, onclick, more = {}) {
  return element("button", { id, textContent, onclick, ...more });
}

function number(value) {
  return value === null ? "unknown" : value.toFixed(2);
}
