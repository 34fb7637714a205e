"""The page a browser gets: a form to try the service with. It has no data: the sample comes from /openapi.json."""

from __future__ import annotations

__all__ = ["PAGE"]

PAGE = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Scoring service</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem; }
label { display: block; margin: 1rem 0 .25rem; font-weight: 600; }
input, textarea, pre { width: 100%; box-sizing: border-box; font: 14px/1.4 ui-monospace, monospace; padding: .5rem; }
textarea { min-height: 14rem; }
pre { border: 1px solid #8888; min-height: 3rem; white-space: pre-wrap; overflow-wrap: anywhere; }
button { margin: 1rem .5rem 0 0; padding: .5rem 1rem; font: inherit; }
</style>
</head>
<body>
<main>
<h1 id="title">Scoring service</h1>
<p>Healthy. Requests are scored by <code>POST /score</code>; the contract is in
<code>/openapi.json</code>.</p>
<form id="form">
<label for="key">Key (if the service has keys)</label>
<input id="key" type="password" autocomplete="off" spellcheck="false">
<label for="body">Request</label>
<textarea id="body" spellcheck="false">{}</textarea>
<button type="button" id="sample">Fill in the sample</button>
<button type="submit">Score</button>
</form>
<label for="answer">Answer</label>
<pre id="answer" role="status" aria-live="polite"></pre>
</main>
<script>
const at = (id) => document.getElementById(id);
const headers = () => (at("key").value ? { authorization: "Bearer " + at("key").value } : {});
const show = (text) => { at("answer").textContent = text; };
const pretty = (text) => { try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; } };
async function sample() {
  const reply = await fetch("openapi.json", { headers: headers() });
  if (!reply.ok) { show(reply.status + "\\n" + pretty(await reply.text())); return; }
  const contract = await reply.json();
  at("title").textContent = contract.info.title;
  const content = contract.paths["/score"].post.requestBody.content["application/json"];
  at("body").value = JSON.stringify(content.example, null, 2);
  show("");
}
async function score(event) {
  event.preventDefault();
  const began = performance.now();
  const reply = await fetch("score", {
    method: "POST",
    headers: { ...headers(), "content-type": "application/json" },
    body: at("body").value,
  });
  const text = pretty(await reply.text());
  show(reply.status + " in " + (performance.now() - began).toFixed(1) + " ms\\n" + text);
}
const failed = (error) => show("the service can't be reached: " + error.message);
at("sample").addEventListener("click", () => sample().catch(failed));
at("form").addEventListener("submit", (event) => score(event).catch(failed));
</script>
</body>
</html>
"""
