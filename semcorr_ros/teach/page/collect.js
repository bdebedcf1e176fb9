// Take pictures: what the camera shows, a shutter, and from where pictures are missing.

import { element, get, tried } from "./api.js";
import { loaded } from "./stage.js";
import { ring } from "./ring.js";

const LIVE = 250; // ms between live pictures

export class Collect {
  constructor(app) {
    this.app = app;
    this.keys = [["Space", "take the picture"], ["← →", "turn the pages of a folder"], ["a", "take by itself"]];
  }

  open() {
    this.running = {};
    this.fill();
    this.run(this.running);
  }

  close() {
    this.running = null;
  }

  update() {
    this.fill();
    const { source } = this.app.state;
    if (source && !source.live && this.at !== source.at) this.show();
  }

  key(key, event) {
    const { source } = this.app.state;
    if (event.repeat) return false;
    if (key === " ") return void this.shoot() ?? true;
    if (key === "a" && source?.live) return void this.app.act("automatic", { on: !this.app.state.automatic }) ?? true;
    if (source && !source.live && (key === "ArrowLeft" || key === "ArrowRight")) {
      return void this.step(key === "ArrowLeft" ? -1 : 1) ?? true;
    }
    return false;
  }

  async run(mine) {
    const { source } = this.app.state;
    if (!source) {
      this.app.over.replaceChildren(
        element("div", { className: "empty", textContent: "Drop pictures here: JPEG, PNG, WebP. A zip of COCO keypoints (CVAT, Label Studio) is imported." }),
      );
      return;
    }
    await this.show();
    while (this.running === mine && source.live) {
      await new Promise((resolve) => setTimeout(resolve, LIVE));
      if (this.running === mine) await this.show();
    }
  }

  async show() {
    const mine = this.running;
    try {
      const response = await fetch("/api/camera");
      if (!response.ok) throw new Error((await response.json()).error);
      const size = response.headers.get("x-size").split(",").map(Number);
      const address = URL.createObjectURL(await response.blob());
      const image = await loaded(address);
      URL.revokeObjectURL(address);
      if (this.running !== mine || !mine) return;
      this.at = this.app.state.source?.at;
      this.app.over.replaceChildren();
      this.app.stage.show(image, size);
    } catch (error) {
      if (this.running !== mine) return;
      this.at = this.app.state.source?.at;
      this.app.stage.clear();
      this.app.over.replaceChildren(element("div", { className: "empty", textContent: error.message }));
    }
  }

  // One after the other, however fast the key is pressed.
  shoot() {
    this.shots = (this.shots ?? Promise.resolve()).then(() => this.once());
    return this.shots;
  }

  async once() {
    const before = this.app.state.source;
    const done = await this.app.act("capture");
    if (done) {
      this.app.picture = this.app.state.pictures.at(-1).name;
      this.app.list();
      document.querySelector("#pictures .on")?.scrollIntoView({ block: "nearest" });
      if (before && !before.live && before.at < before.of) await this.step(1);
    }
  }

  async step(by) {
    await this.app.act("step", { by });
    await this.show();
  }

  fill() {
    const { source, automatic, pictures, ring: cells, class: made, fewest } = this.app.state;
    const shutter = element("button", { id: "shutter", className: "main", textContent: "take the picture", disabled: !source });
    shutter.onclick = () => this.shoot();
    const chooser = element("input", { type: "file", multiple: true, accept: "image/*,.zip", id: "files", hidden: true });
    chooser.onchange = () => this.app.upload([...chooser.files]);
    const add = element("button", { textContent: "add files" });
    add.onclick = () => chooser.click();
    const own = element("button", { id: "automatic", textContent: automatic ? "stop taking" : "take by itself", hidden: !source?.live });
    own.onclick = () => this.app.act("automatic", { on: !automatic });
    const about = source ? `${source.title}${source.of ? `, ${source.at} of ${source.of}` : ", live"}` : "no camera";
    const empty = cells.filter((one) => !one.count && one.level === "low").length;
    const advice = cells.length
      ? empty ? `${empty} of 12 sides are not shown yet (dark).` : "Every side is shown."
      : `From where pictures show the object is known once ${fewest} are annotated.`;
    this.app.panel.replaceChildren(
      element("h2", { textContent: "Collect" }),
      element("p", { textContent: about }),
      element("div", { className: "row" }, shutter, own, add, chooser),
      element("h3", { textContent: "Viewpoints" }),
      ...(cells.length ? [ring(cells, this.here)] : []),
      element("p", { textContent: advice }),
      element("p", { textContent: `${pictures.length} pictures, ${pictures.filter((one) => one.done).length} annotated. 15 from all sides make a good class; other objects of the kind among them make it a better one.` }),
      ...(made?.warnings ?? []).map((text) => element("div", { className: "card warn", textContent: text })),
    );
  }
}
