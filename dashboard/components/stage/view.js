// The canvas: picture, layers, marks, scale bar, compass; zoom and pan. It knows offsets from the centre, not objects.

const ZOOM_STEP = 1.25;
const DEEPEST_ZOOM = 64; // screen pixels per image pixel

export class View {
  /** `onPointer(x, y)` reports the pointer in offsets from the centre, or null when it leaves. */
  constructor(canvas, { onPointer }) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.scene = null;
    this.pointer = null;
    this.smooth = false;
    this.brush = null; // {begin, move, end, resize} while the pointer paints
    this.onPointer = onPointer;
    this.reset();
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(canvas.parentElement);
    this.listeners = new AbortController();
    this.listen();
    this.resize();
  }

  destroy() {
    this.observer.disconnect();
    this.listeners.abort();
  }

  /**
   * What to draw: {unit, pixel, extent, picture, layers, contours, markers, compass, cursor, brush}, lengths in `unit`
   * (arcsec where the pixel scale is known). Pictures are {bitmap, width, height} in `unit`.
   */
  show(scene) {
    this.scene = scene;
    this.draw();
  }

  reset() {
    this.zoom = 1;
    this.centre = [0, 0];
    this.draw?.();
  }

  zoomBy(factor, about = null) {
    if (!this.scene) return;
    const [ax, ay] = about ?? this.centre;
    const deepest = DEEPEST_ZOOM / (this.fit() * this.scene.pixel);
    const zoom = Math.min(Math.max(this.zoom * factor, 0.5), Math.max(deepest, 1));
    const ratio = this.zoom / zoom;
    this.centre = [ax + (this.centre[0] - ax) * ratio, ay + (this.centre[1] - ay) * ratio];
    this.zoom = zoom;
    this.draw();
  }

  zoomIn = () => this.zoomBy(ZOOM_STEP);
  zoomOut = () => this.zoomBy(1 / ZOOM_STEP);

  /** Screen pixels per unit at zoom 1: the whole field fits. */
  fit() {
    const [width, height] = this.scene.extent;
    return Math.min(this.width / width, this.height / height);
  }

  toScreen(x, y) {
    const scale = this.fit() * this.zoom;
    return [this.width / 2 + (x - this.centre[0]) * scale, this.height / 2 - (y - this.centre[1]) * scale];
  }

  toOffset(screenX, screenY) {
    const scale = this.fit() * this.zoom;
    return [this.centre[0] + (screenX - this.width / 2) / scale, this.centre[1] - (screenY - this.height / 2) / scale];
  }

  resize() {
    const { width, height } = this.canvas.parentElement.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    [this.width, this.height] = [Math.max(1, width), Math.max(1, height)];
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.ratio = ratio;
    this.draw();
  }

  listen() {
    const { signal } = this.listeners;
    const on = (type, act) => this.canvas.addEventListener(type, act, { signal, passive: false });
    const at = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return this.toOffset(event.clientX - box.left, event.clientY - box.top);
    };
    on("wheel", (event) => {
      event.preventDefault();
      const delta = event.deltaY || event.deltaX; // with Shift some browsers turn the wheel sideways
      if (this.scene && this.brush && event.shiftKey) this.brush.resize(delta < 0 ? 1 : -1);
      else if (this.scene) this.zoomBy(delta < 0 ? ZOOM_STEP : 1 / ZOOM_STEP, at(event));
    });
    on("dblclick", () => this.brush ?? this.reset());
    on("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      this.paints = this.scene && this.brush && event.button === 0 && !event.shiftKey;
      if (this.paints) this.brush.begin(at(event));
      else this.drag = [event.clientX, event.clientY];
    });
    const release = () => {
      if (this.paints) this.brush?.end();
      this.paints = false;
      this.drag = null;
    };
    on("pointerup", release);
    on("pointercancel", release);
    on("pointermove", (event) => {
      if (!this.scene) return;
      if (this.drag) this.pan(event);
      this.pointer = at(event);
      this.brush?.move(this.pointer);
      this.onPointer(this.pointer);
    });
    on("pointerleave", () => {
      this.pointer = null;
      this.onPointer(null);
    });
  }

  pan(event) {
    const scale = this.fit() * this.zoom;
    this.centre = [
      this.centre[0] - (event.clientX - this.drag[0]) / scale,
      this.centre[1] + (event.clientY - this.drag[1]) / scale,
    ];
    this.drag = [event.clientX, event.clientY];
    this.draw();
  }

  draw() {
    const { context, scene } = this;
    if (!context || !this.width) return;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, this.width, this.height);
    if (!scene) return;
    this.drawPicture(scene.picture, this.smooth);
    scene.layers.forEach((layer) => this.drawPicture(layer, true));
    scene.contours.forEach((lines) => this.drawContours(lines));
    scene.markers.forEach((marker) => this.drawMarker(marker));
    if (scene.brush) this.drawBrush(scene.brush);
    if (scene.cursor) this.drawCursor(scene.cursor);
    this.drawScaleBar();
    if (scene.compass) this.drawCompass(scene.compass);
  }

  drawPicture({ bitmap, width, height }, smooth) {
    const [left, top] = this.toScreen(-width / 2, height / 2);
    const scale = this.fit() * this.zoom;
    this.context.imageSmoothingEnabled = smooth;
    this.context.imageSmoothingQuality = "high";
    this.context.drawImage(bitmap, left, top, width * scale, height * scale);
  }

  stroke(width, colour, path) {
    const { context } = this;
    for (const [lineWidth, style] of [[width + 2, "rgb(0 0 0 / 55%)"], [width, colour]]) {
      context.beginPath();
      path(context);
      context.lineWidth = lineWidth;
      context.strokeStyle = style;
      context.stroke();
    }
  }

  drawContours({ segments, colour, width }) {
    this.stroke(width, colour, (path) => {
      for (const [x1, y1, x2, y2] of segments) {
        path.moveTo(...this.toScreen(x1, y1));
        path.lineTo(...this.toScreen(x2, y2));
      }
    });
  }

  /** A marker: {x, y, sigma, label, colour, shape}. The circle is the uncertainty, the gap keeps the pixels visible. */
  drawMarker({ x, y, sigma, label, colour, shape = "reticle" }) {
    const [sx, sy] = this.toScreen(x, y);
    const radius = Math.max(9, (sigma || 0) * this.fit() * this.zoom);
    this.stroke(1.5, colour, (path) => {
      if (shape === "reticle") {
        path.arc(sx, sy, radius, 0, 2 * Math.PI);
        for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
          path.moveTo(sx + dx * radius, sy + dy * radius);
          path.lineTo(sx + dx * (radius + 8), sy + dy * (radius + 8));
        }
      } else {
        path.rect(sx - 7, sy - 7, 14, 14);
      }
    });
    if (label) this.text(label, sx + radius + 11, sy + 4, colour);
  }

  drawCursor([x, y]) {
    const [sx, sy] = this.toScreen(x, y);
    this.stroke(1, "#fff", (path) => {
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        path.moveTo(sx + 4 * dx, sy + 4 * dy);
        path.lineTo(sx + 18 * dx, sy + 18 * dy);
      }
    });
  }

  /**
   * Hatched where strokes went, shaded too while the pixels there are still the old ones. `circle`: the brush, or dashed
   * the Einstein radius of a simulated lens.
   */
  drawBrush({ strokes, circle, pending }) {
    const { context } = this;
    const scale = this.fit() * this.zoom;
    context.lineCap = context.lineJoin = "round";
    for (const width of new Set(strokes.map(({ radius_arcsec: r }) => r))) {
      context.beginPath();
      for (const { points_arcsec: points } of strokes.filter(({ radius_arcsec: r }) => r === width)) {
        const places = points.map((point) => this.toScreen(...point));
        context.moveTo(...places[0]);
        places.forEach((place) => context.lineTo(...place));
      }
      context.lineWidth = Math.max(2 * width * scale, 1);
      for (const style of [pending && "rgb(0 0 0 / 30%)", this.hatching()]) {
        if (!style) continue;
        context.strokeStyle = style;
        context.stroke();
      }
    }
    context.lineCap = "butt";
    context.lineJoin = "miter";
    if (!circle) return;
    const [x, y] = this.toScreen(...circle.at);
    context.setLineDash(circle.dashed ? [5, 5] : []);
    this.stroke(1.2, "#fff", (path) => path.arc(x, y, Math.max(circle.radius * scale, 2), 0, 2 * Math.PI));
    context.setLineDash([]);
  }

  hatching() {
    if (!this.hatched) {
      const tile = new OffscreenCanvas(8, 8);
      const pen = tile.getContext("2d");
      pen.strokeStyle = "rgb(255 255 255 / 34%)";
      pen.beginPath();
      for (const shift of [-8, 0, 8]) {
        pen.moveTo(shift, 8);
        pen.lineTo(shift + 8, 0);
      }
      pen.stroke();
      this.hatched = this.context.createPattern(tile, "repeat");
    }
    return this.hatched;
  }

  text(words, x, y, colour = "#fff", align = "left") {
    const { context } = this;
    context.font = "500 13px system-ui, sans-serif";
    context.textAlign = align;
    context.lineWidth = 3;
    context.strokeStyle = "rgb(0 0 0 / 70%)";
    context.strokeText(words, x, y);
    context.fillStyle = colour;
    context.fillText(words, x, y);
  }

  drawScaleBar() {
    const scale = this.fit() * this.zoom;
    const longest = this.width / (4 * scale);
    const decade = 10 ** Math.floor(Math.log10(longest));
    const length = [5, 2, 1].map((n) => n * decade).find((n) => n <= longest);
    const [right, y] = [this.width - 16, this.height - 16];
    this.stroke(2, "#fff", (path) => {
      path.moveTo(right - length * scale, y);
      path.lineTo(right, y);
    });
    this.text(`${Number(length.toPrecision(1))}${this.scene.unit}`, right - (length * scale) / 2, y - 8, "#fff", "center");
  }

  drawCompass({ north, east }) {
    const [ox, oy, size] = [46, this.height - 46, 24];
    for (const [[dx, dy], letter] of [[north, "N"], [east, "E"]]) {
      this.stroke(1.5, "#fff", (path) => {
        path.moveTo(ox, oy);
        path.lineTo(ox + dx * size, oy - dy * size);
      });
      this.text(letter, ox + dx * (size + 9), oy - dy * (size + 9) + 4, "#fff", "center");
    }
  }
}
