// The page: what the server knows, five tabs over it, and the keyboard.

import { element, get, post, say, tried } from "./api.js";
import { Stage } from "./stage.js";
import { Annotate } from "./annotate.js";
import { Collect } from "./collect.js";
import { Review } from "./review.js";
import { See } from "./see.js";
import { Use } from "./use.js";

const EVERY = 900; // ms between looks at what has changed, by another tab or in the background

export class App {
  constructor() {
    this.state = null;
    this.stage = new Stage(document.getElementById("stage"));
    this.panel = document.getElementById("panel");
    this.over = document.getElementById("over");
    this.picture = "";
    this.tabs = {
      collect: new Collect(this), annotate: new Annotate(this), review: new Review(this),
      see: new See(this), use: new Use(this),
    };
    this.tab = null;
    document.querySelectorAll("#tabs button").forEach((button) => {
      button.addEventListener("click", () => this.open(button.dataset.tab));
    });
    document.getElementById("undo").addEventListener("click", () => this.act("undo"));
    document.getElementById("redo").addEventListener("click", () => this.act("redo"));
    addEventListener("keydown", (event) => this.key(event));
    // Keys belong to the picture again once a button was clicked.
    addEventListener("click", (event) => event.detail && event.target.closest?.("button")?.blur());
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => this.drop(event));
  }

  async start() {
    await tried(async () => this.take(await get("state")));
    const wanted = location.hash.slice(1).split("/");
    if (this.state?.pictures.some((one) => one.name === decodeURIComponent(wanted[1] ?? ""))) {
      this.picture = decodeURIComponent(wanted[1]);
    }
    this.open(this.tabs[wanted[0]] ? wanted[0] : "collect");
    this.poll();
  }

  async poll() {
    let lost = false;
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, EVERY));
      try {
        this.take(await get("state"));
        lost = false;
      } catch (error) {
        if (!lost) say(error.message);
        lost = true;
      }
    }
  }

  // Show what the server told. Older news than what is shown already is dropped.
  take(state) {
    const before = this.state;
    if (!state || (before && state.revision < before.revision)) return;
    const changed = JSON.stringify(before) !== JSON.stringify(state);
    this.state = state;
    if (!changed) return;
    document.getElementById("category").textContent = state.category;
    document.title = `teach ${state.category}`;
    document.getElementById("undo").disabled = !state.undo;
    document.getElementById("redo").disabled = !state.redo;
    document.getElementById("undo").textContent = state.undo ? `undo ${words(state.undo)}` : "undo";
    document.getElementById("doubt-count").textContent = state.doubts.length || "";
    if (state.notice && state.notice !== before?.notice) say(state.notice);
    this.showBuild(state);
    if (!state.pictures.some((one) => one.name === this.picture)) this.picture = state.pictures[0]?.name ?? "";
    this.list();
    this.tab?.update(before);
  }

  showBuild({ build, pictures, fewest, class: made }) {
    const done = pictures.filter((one) => one.done).length;
    const text = document.getElementById("build-text");
    const bar = document.getElementById("build-bar");
    bar.hidden = build.state !== "running";
    bar.value = build.share;
    text.className = build.state === "failed" ? "bad" : "";
    text.title = build.error;
    if (build.state === "running") text.textContent = `building: ${build.stage}`;
    else if (build.state === "waiting") text.textContent = "waiting to build";
    else if (build.state === "failed") text.textContent = "the build failed";
    else if (made) text.textContent = `class of ${made.images} pictures`;
    else text.textContent = `${done} of ${fewest} pictures for a first class`;
    if (build.state === "failed" && build.error !== this.failure) say(build.error);
    this.failure = build.error;
  }

  list() {
    const place = document.getElementById("pictures");
    const doubtful = new Set(this.state.doubts.map((one) => one.picture));
    const wanted = this.state.pictures.map((one) => one.name);
    for (const button of [...place.children]) if (!wanted.includes(button.dataset.name)) button.remove();
    this.state.pictures.forEach((one, i) => {
      let button = [...place.children].find((child) => child.dataset.name === one.name);
      if (!button) {
        const image = element("img", { src: source(one.name, 160), alt: "", loading: "lazy" });
        button = element("button", { data: { name: one.name }, title: one.name }, image, element("span", { textContent: one.name }));
        button.addEventListener("click", () => this.choose(one.name));
      }
      if (place.children[i] !== button) place.insertBefore(button, place.children[i] ?? null);
      button.className = ["pic", one.done && "done", doubtful.has(one.name) && "doubt", one.name === this.picture && "on"]
        .filter(Boolean).join(" ");
    });
  }

  get current() {
    return this.state.pictures.find((one) => one.name === this.picture) ?? null;
  }

  choose(name) {
    this.picture = name;
    this.list();
    document.querySelector("#pictures .on")?.scrollIntoView({ block: "nearest" });
    this.remember();
    if (this.tab === this.tabs.collect) this.open("annotate");
    else this.tab?.chosen?.();
  }

  turn(by) {
    const names = this.state.pictures.map((one) => one.name);
    if (names.length) this.choose(names[(names.indexOf(this.picture) + by + names.length) % names.length]);
  }

  open(name) {
    this.tab?.close?.();
    document.querySelectorAll("#tabs button").forEach((one) => one.classList.toggle("on", one.dataset.tab === name));
    this.over.replaceChildren();
    this.stage.handler = {};
    this.stage.draw = () => {};
    this.stage.clear();
    this.tab = this.tabs[name];
    this.name = name;
    this.remember();
    if (this.state) this.tab.open();
    const keys = [...(this.tab.keys ?? []), ["z", "undo"], ["1-5", "tabs"]];
    document.getElementById("keys").replaceChildren(
      ...keys.map(([key, what]) => element("span", {}, element("kbd", { textContent: key }), ` ${what}`)),
    );
  }

  remember() {
    history.replaceState(null, "", `#${this.name}/${encodeURIComponent(this.picture)}`);
  }

  // Do something and show what has become of it; true where it was done.
  async act(path, content = {}) {
    const told = await tried(() => post(path, content));
    if (told?.revision) this.take(told);
    return told !== null;
  }

  do(kind, content = {}) {
    return this.act("do", { do: kind, ...content });
  }

  key(event) {
    if (event.target.matches?.("input, select, textarea") || event.altKey) return;
    if (event.target.matches?.("button") && (event.key === "Enter" || event.key === " ")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === "z" && !event.metaKey) return void (event.preventDefault(), this.act(event.shiftKey ? "redo" : "undo"));
    if (event.ctrlKey || event.metaKey) return;
    const names = Object.keys(this.tabs);
    if (key >= "1" && key <= "5" && key.length === 1) return void this.open(names[Number(key) - 1]);
    if (this.tab?.key?.(key, event)) event.preventDefault();
  }

  async drop(event) {
    event.preventDefault();
    await this.upload([...event.dataTransfer.files]);
  }

  async upload(files) {
    for (const file of files) {
      const zip = file.name.toLowerCase().endsWith(".zip");
      const told = await tried(() => post(zip ? "import" : `upload?name=${encodeURIComponent(file.name)}`, file));
      if (told) this.take(told);
      if (told?.told) say(told.told, true);
    }
  }
}

export function source(name, side = 1600) {
  return `/api/picture?name=${encodeURIComponent(name)}&side=${side}`;
}

function words(action) {
  return action.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
}

new App().start();
