// Requests to this page's own server. Errors are sentences of the server, shown as they are.

export async function get(path) {
  return answer(await send(`/api/${path}`));
}

export async function post(path, content = {}) {
  const body = content instanceof Blob ? content : JSON.stringify(content);
  const type = content instanceof Blob ? "application/octet-stream" : "application/json";
  return answer(await send(`/api/${path}`, { method: "POST", body, headers: { "content-type": type } }));
}

async function send(path, options = {}) {
  try {
    return await fetch(path, options);
  } catch {
    throw new Error("the page lost its server: start teach again; nothing is lost");
  }
}

async function answer(response) {
  const text = await response.text();
  let content;
  try {
    content = JSON.parse(text);
  } catch {
    throw new Error(response.status === 403 ? text : `unexpected answer ${response.status}`);
  }
  if (!response.ok) throw new Error(content.error ?? `error ${response.status}`);
  return content;
}

export function say(sentence, fine = false) {
  const line = document.createElement("div");
  line.textContent = sentence;
  if (fine) line.className = "fine";
  document.getElementById("notices").append(line);
  setTimeout(() => line.remove(), fine ? 3500 : 9000);
}

// Run something that may fail; say why where it did.
export async function tried(work) {
  try {
    return await work();
  } catch (error) {
    say(error.message);
    return null;
  }
}

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  for (const [key, value] of Object.entries(properties.data ?? {})) made.dataset[key] = value;
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// As the package's own pictures: consecutive hues far apart.
export function color(i) {
  const hue = ((0.02 + i * 0.61803398875) % 1) * 360;
  return `hsl(${hue} ${i % 2 ? 75 : 90}% 62%)`;
}
