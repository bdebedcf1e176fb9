// Mark keypoints: the first picture names them, every later one proposes them all.

import { color, element, get, post, say, tried } from "./api.js";
import { loaded, mark, tinted } from "./stage.js";
import { source } from "./main.js";

const REACH = 14; // pixels of the screen within which a mark is taken hold of

export class Annotate {
  constructor(app) {
    this.app = app;
    this.keys = [["Enter", "confirm, next"], ["drag", "move"], ["h", "hide / show"], ["Tab", "next keypoint"],
      ["o", "outline"], ["← →", "pictures"], ["n", "new keypoint"], ["s", "swap sides"], ["Del", "remove picture"]];
    this.active = "";
    this.outlining = false;
    this.proposal = null;
  }

  open() {
    const waiting = this.app.state.pictures.find((one) => !one.done);
    if (this.app.current?.done && waiting && !this.keep) this.app.choose(waiting.name);
    this.keep = false;
    this.app.stage.handler = {
      down: (at, event) => this.down(at, event), move: (at, event, held) => this.move(at, held),
      up: (at) => this.up(at), leave: () => ((this.near = null), this.app.stage.paint()), other: (at) => this.outlining && this.click(at, false),
    };
    this.app.stage.draw = (context, stage) => this.draw(context, stage);
    this.load();
  }

  close() {
    this.naming = null;
    this.loading = null;
  }

  chosen() {
    this.load();
  }

  update(before) {
    const now = this.app.current;
    if (now?.name !== this.name) return void this.load();
    const old = before?.pictures.find((one) => one.name === now?.name);
    if (now && old && now.mask !== old.mask) this.showMask();
    // A class that has come up knows better, as long as nothing was decided here.
    const fresh = this.app.state.class?.revision !== before?.class?.revision;
    if (fresh && now && !now.done && !Object.keys(now.marks).length && !this.held) this.propose();
    if (now && old && old.done && !now.done) this.propose();
    this.fill();
    this.app.stage.paint();
  }

  async load() {
    const picture = this.app.current;
    this.name = picture?.name;
    this.proposal = null;
    this.held = null;
    this.mask = null;
    this.removeNaming();
    this.fill();
    if (!picture) {
      this.app.stage.clear();
      this.app.over.replaceChildren(element("div", { className: "empty", textContent: "No pictures yet: take some under Collect." }));
      return;
    }
    this.app.over.replaceChildren();
    const mine = (this.loading = {});
    this.began = performance.now();
    const image = await tried(() => loaded(source(picture.name)));
    if (this.loading !== mine || !image) return;
    this.app.stage.show(image, picture.size);
    this.app.stage.canvas.dataset.picture = picture.name;
    this.showMask();
    if (!picture.done) await this.propose();
  }

  async propose() {
    const mine = this.loading, name = this.name;
    this.thinking = true;
    this.fill();
    const told = await tried(() => get(`proposal?name=${encodeURIComponent(name)}`));
    if (this.loading !== mine || this.name !== name) return;
    this.thinking = false;
    this.proposal = told;
    this.active = this.open_()[0] ?? "";
    this.showMask();
    this.fill();
    this.app.stage.paint();
  }

  async showMask() {
    const file = this.app.current?.mask || this.proposal?.mask;
    if (!file) return void ((this.mask = null), this.app.stage.paint());
    const mine = this.loading;
    const made = await tried(() => tinted(`/api/mask?file=${encodeURIComponent(file)}`));
    if (this.loading === mine) this.mask = made;
    this.app.stage.paint();
  }

  // What is shown for a keypoint: [place or null, "marked" or "proposed" or "open"].
  shown(name) {
    const picture = this.app.current;
    if (this.held?.name === name) return [this.held.at, "marked"];
    if (picture && name in picture.marks) return [picture.marks[name], "marked"];
    if (this.proposal && name in this.proposal.marks) return [this.proposal.marks[name], "proposed"];
    return [null, "open"];
  }

  open_() {
    return this.app.state.keypoints.filter((name) => this.shown(name)[1] === "open");
  }

  draw(context, stage) {
    const picture = this.app.current;
    if (!picture || !stage.image) return;
    const { scale, left, top } = stage.view;
    if (this.mask) context.drawImage(this.mask, left, top, picture.size[1] * scale, picture.size[0] * scale);
    const places = {};
    this.app.state.keypoints.forEach((name, i) => {
      const [at, kind] = this.shown(name);
      if (!at) return;
      places[name] = stage.toScreen(at);
      const label = name === this.active || this.held?.name === name || this.near === name ? name : "";
      mark(context, places[name], color(i), { ring: kind === "proposed", big: name === this.active, label });
    });
    context.strokeStyle = "#fff6";
    for (const [a, b] of this.app.state.edges) {
      if (!places[a] || !places[b]) continue;
      context.beginPath();
      context.moveTo(...places[a]);
      context.lineTo(...places[b]);
      context.stroke();
    }
  }

  nearest(at) {
    const reach = REACH / this.app.stage.view.scale;
    let best = null, least = reach;
    for (const name of this.app.state.keypoints) {
      const [place] = this.shown(name);
      const off = place ? Math.hypot(place[0] - at[0], place[1] - at[1]) : Infinity;
      if (name === this.active && off < reach) return name; // of marks that cover each other
      if (off < least) [best, least] = [name, off];
    }
    return best;
  }

  down(at, event) {
    if (!this.app.current || !this.app.stage.inside(at)) return;
    if (this.outlining) return void this.click(at, !event.shiftKey);
    const name = this.nearest(at);
    if (name) {
      this.held = { name, at: this.shown(name)[0], from: at };
      this.active = name;
      this.fill();
    } else if (this.active && this.open_().includes(this.active)) {
      this.place(this.active, at);
    } else if (this.active && this.shown(this.active)[0] === null) {
      this.place(this.active, at);
    } else if (this.open_().length) {
      this.place(this.open_()[0], at);
    } else if (!this.app.state.pictures.some((one) => one.done)) {
      this.ask(at);
    } else {
      say("drag a mark to move it; n adds a keypoint, o corrects the outline", true);
    }
    this.app.stage.paint();
  }

  move(at, held) {
    if (held && this.held) {
      const { from } = this.held;
      const start = this.held.start ?? (this.held.start = this.held.at);
      this.held.at = this.clamped([start[0] + at[0] - from[0], start[1] + at[1] - from[1]]);
      this.held.moved = true;
    } else {
      this.near = this.nearest(at);
      this.last = at;
    }
    this.app.stage.paint();
  }

  async up() {
    const held = this.held;
    if (held?.moved) await this.place(held.name, held.at);
    if (this.held === held) this.held = null;
    this.app.stage.paint();
  }

  clamped([x, y]) {
    const [h, w] = this.app.current.size;
    return [Math.min(Math.max(x, 0), w - 1), Math.min(Math.max(y, 0), h - 1)];
  }

  async place(name, at) {
    const done = await this.app.do("Place", { picture: this.name, keypoint: name, x: at[0], y: at[1] });
    if (done) this.active = this.open_()[0] ?? name;
    this.fill();
  }

  async hide() {
    const name = this.near ?? this.active;
    if (!name) return;
    const [at] = this.shown(name);
    if (at) await this.app.do("Hide", { picture: this.name, keypoint: name });
    else if (this.last) await this.place(name, this.clamped(this.last));
    this.near = null;
    this.active = this.open_()[0] ?? name;
    this.fill();
    this.app.stage.paint();
  }

  // Name a new keypoint where it was clicked.
  ask(at) {
    this.removeNaming();
    const input = element("input", { placeholder: "name of this keypoint", id: "name", size: 18, maxLength: 64 });
    const [x, y] = this.app.stage.toScreen(at);
    const box = element("form", { id: "naming" }, input, element("button", { textContent: "add" }));
    box.style.left = `${Math.min(x + 12, this.app.stage.canvas.clientWidth - 250)}px`;
    box.style.top = `${Math.min(y + 8, this.app.stage.canvas.clientHeight - 46)}px`;
    box.addEventListener("submit", async (event) => {
      event.preventDefault();
      const name = input.value.trim();
      if (!name) return;
      const done = await this.app.do("AddKeypoint", { name, picture: this.name, x: at[0], y: at[1] });
      if (done) this.removeNaming();
      this.app.stage.canvas.focus();
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.removeNaming();
      event.stopPropagation();
    });
    this.naming = box;
    this.app.over.append(box);
    input.focus();
  }

  removeNaming() {
    this.naming?.remove();
    this.naming = null;
  }

  async accept() {
    const picture = this.app.current;
    if (!picture || this.busy) return;
    if (this.thinking) return void say("the proposal is being computed", true);
    this.busy = true;
    const marks = Object.fromEntries(
      Object.entries(this.proposal?.marks ?? {}).filter(([name]) => !(name in picture.marks) && this.app.state.keypoints.includes(name)),
    );
    const mask = picture.mask ? "" : this.proposal?.mask ?? "";
    const done = await this.app.do("Accept", { picture: picture.name, marks, mask });
    this.busy = false;
    if (!done) return;
    const names = this.app.state.pictures;
    const at = names.findIndex((one) => one.name === picture.name);
    const next = [...names.slice(at + 1), ...names.slice(0, at)].find((one) => !one.done);
    if (next) this.app.choose(next.name);
    else {
      say("every picture is annotated", true);
      this.fill();
      this.app.stage.paint();
    }
  }

  async click(at, inside) {
    const told = await tried(() => post("outline", { picture: this.name, clicks: [{ x: at[0], y: at[1], inside }] }));
    if (told) this.app.take(told);
  }

  key(key, event) {
    const picture = this.app.current;
    if (key === "ArrowRight" || key === "ArrowLeft") return void this.app.turn(key === "ArrowRight" ? 1 : -1) ?? true;
    if (!picture) return false;
    if (event.repeat) return false;
    if (key === "Enter") return void this.accept() ?? true;
    if (key === "h") return void this.hide() ?? true;
    if (key === "s") return void this.app.do("SwapSides", { picture: this.name }) ?? true;
    if (key === "n") return void this.ask(this.last ?? [picture.size[1] / 2, picture.size[0] / 2]) ?? true;
    if (key === "Delete") return void this.app.do("RemovePicture", { picture: this.name }) ?? true;
    if (key === "Escape") return void ((this.outlining = false), this.removeNaming(), this.fill()) ?? true;
    if (key === "o") return void ((this.outlining = !this.outlining), this.fill()) ?? true;
    if (key === "Tab") {
      const names = this.app.state.keypoints;
      this.active = names[(names.indexOf(this.active) + (event.shiftKey ? -1 : 1) + names.length) % names.length] ?? "";
      this.fill();
      this.app.stage.paint();
      return true;
    }
    return false;
  }

  fill() {
    const picture = this.app.current, { keypoints, pairs, proposed_pairs: offered, pictures } = this.app.state;
    if (!picture) return void this.app.panel.replaceChildren(element("h2", { textContent: "Annotate" }));
    const open = this.open_(), first = !pictures.some((one) => one.done);
    const rows = keypoints.map((name, i) => this.row(name, i));
    const confirm = element("button", { id: "confirm", className: "main", textContent: picture.done ? "confirmed" : "confirm (Enter)", disabled: picture.done });
    confirm.onclick = () => this.accept();
    const reopen = element("button", { textContent: "take out of the class", hidden: !picture.done });
    reopen.onclick = () => this.app.do("Reopen", { picture: picture.name });
    const outline = element("button", { textContent: this.outlining ? "done with the outline" : "outline (o)" });
    outline.onclick = () => { this.outlining = !this.outlining; this.fill(); };
    const status = this.thinking ? "computing a proposal ..." : this.proposal ? this.proposal.why : picture.done ? "part of the class" : "";
    const by = element("p", { id: "proposed-by", textContent: status, data: { by: this.thinking ? "thinking" : this.proposal?.by ?? "" } });
    const advice = first && !open.length
      ? "Click every keypoint of the object once and name it; left and right in names make pairs. Then press Enter."
      : this.outlining ? "Click on what belongs to the object; with Shift or the right button on what does not."
        : open.length ? `Click ${open[0]}, or press h where it is hidden.` : "Drag what is off, h hides what is not seen, Enter confirms.";
    this.app.panel.replaceChildren(
      element("h2", { textContent: picture.name }), by,
      element("p", { className: this.outlining ? "warn" : "", textContent: advice }),
      element("div", { className: "row" }, confirm, reopen, outline),
      element("h3", { textContent: `Keypoints (${keypoints.length})` }),
      element("ul", { className: "points" }, ...rows),
      ...this.pairs(pairs, offered),
    );
  }

  row(name, i) {
    const [at, kind] = this.shown(name);
    const dot = element("span", { className: "dot" });
    dot.style.background = color(i);
    const tag = kind === "open" ? "to place" : at ? (kind === "proposed" ? "proposed" : "") : "hidden";
    const row = element("li", { className: [at || kind === "open" ? "" : "hidden", name === this.active ? "on" : ""].join(" "), data: { name, kind, x: at?.[0] ?? "", y: at?.[1] ?? "" } },
      dot, element("span", { className: "name", textContent: name }), element("span", { className: `tag ${kind === "proposed" ? "by" : ""}`, textContent: tag }));
    row.onclick = () => { this.active = name; this.fill(); this.app.stage.paint(); };
    row.ondblclick = () => this.rename(name);
    row.title = "double click renames";
    return row;
  }

  async rename(name) {
    const given = prompt(`another name for ${name} (empty removes it)`, name);
    if (given === null || given === name) return;
    if (given.trim()) await this.app.do("RenameKeypoint", { old: name, new: given.trim() });
    else await this.app.do("RemoveKeypoint", { name });
  }

  pairs(pairs, offered) {
    const listed = (some) => some.map(([a, b]) => `${a} ↔ ${b}`).join(", ");
    if (pairs.length) {
      const drop = element("button", { textContent: "clear" });
      drop.onclick = () => this.app.do("SetPairs", { pairs: [] });
      return [element("h3", { textContent: "Left and right" }), element("p", { textContent: listed(pairs) }), drop];
    }
    if (!offered.length) return [];
    const take = element("button", { id: "take-pairs", textContent: "that is right" });
    take.onclick = () => this.app.do("SetPairs", { pairs: offered });
    return [element("h3", { textContent: "Left and right?" }), element("p", { textContent: listed(offered) }), take];
  }
}
