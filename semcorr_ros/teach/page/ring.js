// From where pictures were taken: two rings of sectors about the object, seen from above; outside is low.

const SECTORS = 12;

export function ring(cells, here = null) {
  const box = `<svg class="ring" viewBox="-110 -110 220 220" role="img" aria-label="viewpoints">`;
  const parts = cells.map(({ level, sector, count }) => {
    const [inner, outer] = level === "low" ? [66, 98] : [30, 62];
    const middle = direction((sector * 360) / SECTORS), half = Math.PI / SECTORS - 0.03;
    const at = (radius, angle) => `${(radius * Math.cos(angle)).toFixed(1)} ${(radius * Math.sin(angle)).toFixed(1)}`;
    const path = `M${at(inner, middle - half)} L${at(outer, middle - half)} A${outer} ${outer} 0 0 1 ${at(outer, middle + half)} ` +
      `L${at(inner, middle + half)} A${inner} ${inner} 0 0 0 ${at(inner, middle - half)}Z`;
    const fill = count ? `hsl(150 50% ${Math.min(58, 26 + 12 * count)}%)` : "#262b35";
    return `<path d="${path}" fill="${fill}" data-count="${count}"><title>${level}, ${(sector * 360) / SECTORS}°: ${count}</title></path>`;
  });
  const labels = [["front", 0], ["left", 90], ["back", 180], ["right", 270]].map(([text, angle]) => {
    const a = direction(angle);
    return `<text x="${(82 * Math.cos(a)).toFixed(0)}" y="${(82 * Math.sin(a) + 3.5).toFixed(0)}" font-size="11" fill="#dfe5f0" text-anchor="middle">${text}</text>`;
  });
  let dot = "";
  if (here) {
    const a = direction(here.azimuth), r = here.elevation > 40 ? 46 : 82;
    dot = `<circle cx="${r * Math.cos(a)}" cy="${r * Math.sin(a)}" r="7" fill="#5ab0ff" stroke="#fff" stroke-width="2"/>`;
  }
  const frame = document.createElement("div");
  frame.innerHTML = `${box}${parts.join("")}${labels.join("")}${dot}<circle r="14" fill="#8790a0"/></svg>`;
  return frame;
}

// The front is at the bottom, the object's left on the right: as somebody sees it who stands before it.
function direction(azimuth) {
  return Math.PI / 2 - (azimuth * Math.PI) / 180;
}
