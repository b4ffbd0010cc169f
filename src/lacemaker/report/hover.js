// Reads the nearest point of a line under the pointer. Without scripts the page is complete, only quieter.
for (const svg of document.querySelectorAll("svg[data-frame]")) {
  const [left, top, right, floor] = svg.dataset.frame.split(" ").map(Number);
  const invert = (text, fraction) => {
    const [low, high, log] = text.split(" ").map(Number);
    return log ? low * (high / low) ** fraction : low + (high - low) * fraction;
  };
  const lines = [...svg.querySelectorAll("polyline")].map((line) => ({
    label: line.dataset.label,
    points: line.getAttribute("points").split(" ").map((pair) => pair.split(",").map(Number)),
  }));
  if (!lines.length) continue;
  const make = (name, css) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    node.setAttribute("class", css);
    node.style.display = "none";
    svg.append(node);
    return node;
  };
  const probe = make("circle", "probe"), reading = make("text", "reading");
  probe.setAttribute("r", 4);
  svg.addEventListener("mousemove", (event) => {
    const box = svg.getBoundingClientRect(), zoom = svg.viewBox.baseVal.width / box.width;
    const x = (event.clientX - box.left) * zoom, y = (event.clientY - box.top) * zoom;
    let best = null, distance = 30 ** 2;
    for (const line of lines)
      for (const [px, py] of line.points) {
        const d = (px - x) ** 2 + (py - y) ** 2;
        if (d < distance && py >= top && py <= floor) { distance = d; best = [px, py, line.label]; }
      }
    probe.style.display = reading.style.display = best ? "" : "none";
    if (!best) return;
    const [px, py, label] = best;
    const value = (axis, fraction) => Number(invert(svg.dataset[axis], fraction).toPrecision(4));
    probe.setAttribute("cx", px); probe.setAttribute("cy", py);
    reading.textContent = `${label}  ${value("x", (px - left) / (right - left))}, ${value("y", (floor - py) / (floor - top))}`;
    const flip = px > (left + right) / 2;
    reading.setAttribute("text-anchor", flip ? "end" : "start");
    reading.setAttribute("x", px + (flip ? -9 : 9));
    reading.setAttribute("y", Math.max(py - 9, top + 12));
  });
  svg.addEventListener("mouseleave", () => { probe.style.display = reading.style.display = "none"; });
}
