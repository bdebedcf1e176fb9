// A picture that can be zoomed (wheel) and moved (middle or right button), with something drawn over it.
// Coordinates are pixels of the original picture; the centre of its first pixel is (0, 0).

export class Stage {
  constructor(canvas) {
    this.canvas = canvas;
    this.image = null;
    this.size = [480, 640];
    this.draw = () => {};
    this.view = { scale: 1, left: 0, top: 0 };
    this.handler = {};
    this.drag = null;
    new ResizeObserver(() => this.fit()).observe(canvas);
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => this.zoom(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointerleave", () => this.handler.leave?.());
    canvas.addEventListener("pointercancel", () => (this.drag = null));
  }

  // Show a picture; `size` (h, w) is that of the original, the image may be smaller.
  show(image, size) {
    const same = size[0] === this.size[0] && size[1] === this.size[1] && this.image;
    this.image = image;
    this.size = size;
    if (same) this.paint();
    else this.fit();
  }

  clear() {
    this.image = null;
    this.paint();
  }

  fit() {
    const ratio = devicePixelRatio;
    this.canvas.width = Math.round(this.canvas.clientWidth * ratio);
    this.canvas.height = Math.round(this.canvas.clientHeight * ratio);
    const [h, w] = this.size;
    const scale = Math.min(this.canvas.clientWidth / w, this.canvas.clientHeight / h) * 0.98;
    this.view = {
      scale,
      left: (this.canvas.clientWidth - w * scale) / 2,
      top: (this.canvas.clientHeight - h * scale) / 2,
    };
    this.paint();
  }

  toScreen([x, y]) {
    return [this.view.left + (x + 0.5) * this.view.scale, this.view.top + (y + 0.5) * this.view.scale];
  }

  toPicture(event) {
    const box = this.canvas.getBoundingClientRect();
    return [
      (event.clientX - box.left - this.view.left) / this.view.scale - 0.5,
      (event.clientY - box.top - this.view.top) / this.view.scale - 0.5,
    ];
  }

  inside([x, y]) {
    return x >= -0.5 && y >= -0.5 && x < this.size[1] - 0.5 && y < this.size[0] - 0.5;
  }

  paint() {
    const context = this.canvas.getContext("2d");
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const { scale, left, top } = this.view;
    if (this.image) {
      context.imageSmoothingEnabled = scale < 3;
      context.drawImage(this.image, left, top, this.size[1] * scale, this.size[0] * scale);
    }
    Object.assign(this.canvas.dataset, { scale, left, top, shown: this.image ? "yes" : "" });
    this.draw(context, this);
  }

  zoom(event) {
    event.preventDefault();
    const box = this.canvas.getBoundingClientRect();
    const at = [event.clientX - box.left, event.clientY - box.top];
    const factor = Math.exp(-event.deltaY / 500);
    const scale = Math.min(Math.max(this.view.scale * factor, 0.02), 40);
    const real = scale / this.view.scale;
    this.view = {
      scale,
      left: at[0] - (at[0] - this.view.left) * real,
      top: at[1] - (at[1] - this.view.top) * real,
    };
    this.paint();
  }

  down(event) {
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    if (event.button !== 0) {
      this.drag = { pan: true, from: [event.clientX, event.clientY], view: { ...this.view } };
      this.moved = false;
      this.button = event.button;
      return;
    }
    this.drag = { pan: false };
    this.handler.down?.(this.toPicture(event), event);
  }

  move(event) {
    if (this.drag?.pan) {
      const dx = event.clientX - this.drag.from[0], dy = event.clientY - this.drag.from[1];
      if (Math.hypot(dx, dy) > 3) this.moved = true;
      this.view = { ...this.drag.view, left: this.drag.view.left + dx, top: this.drag.view.top + dy };
      this.paint();
      return;
    }
    this.handler.move?.(this.toPicture(event), event, this.drag !== null);
  }

  up(event) {
    const drag = this.drag;
    this.drag = null;
    if (drag?.pan && !this.moved && this.button === 2) this.handler.other?.(this.toPicture(event), event);
    else if (drag && !drag.pan) this.handler.up?.(this.toPicture(event), event);
  }
}

export function loaded(source) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error("a picture could not be shown"));
    image.src = source;
  });
}

// The outline of a mask file, tinted.
export async function tinted(source) {
  const image = await loaded(source);
  const canvas = document.createElement("canvas");
  const shrink = Math.min(1, 800 / Math.max(image.width, image.height));
  canvas.width = Math.max(1, Math.round(image.width * shrink));
  canvas.height = Math.max(1, Math.round(image.height * shrink));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const { data, width, height } = pixels;
  const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && on[y * width + x];
  const on = new Uint8Array(width * height);
  for (let i = 0; i < on.length; i++) on[i] = data[4 * i] > 127 ? 1 : 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      const edge = on[i] && !(inside(x - 1, y) && inside(x + 1, y) && inside(x, y - 1) && inside(x, y + 1));
      data.set(edge ? [120, 220, 255, 255] : on[i] ? [90, 176, 255, 34] : [0, 0, 0, 0], 4 * i);
    }
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

export function mark(context, [x, y], color, { ring = false, big = false, label = "" } = {}) {
  const radius = big ? 8 : 6;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.lineWidth = 4;
  context.strokeStyle = "#000b";
  context.stroke();
  context.lineWidth = 2;
  context.strokeStyle = color;
  if (ring) context.setLineDash([3, 3]);
  context.stroke();
  context.setLineDash([]);
  if (!ring) {
    context.fillStyle = color;
    context.beginPath();
    context.arc(x, y, 2.2, 0, 2 * Math.PI);
    context.fill();
  }
  if (label) {
    context.font = "12px system-ui, 'DejaVu Sans', sans-serif";
    const wide = context.measureText(label).width;
    context.fillStyle = "#000a";
    context.fillRect(x + 10, y - 17, wide + 8, 17);
    context.fillStyle = color;
    context.fillText(label, x + 14, y - 4);
  }
}
