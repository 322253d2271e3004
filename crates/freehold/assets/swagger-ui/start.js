// Shows the document beside this page. No inline script: the page's policy forbids it.
const METHODS = ['get', 'head', 'post', 'patch', 'put', 'delete'];

window.addEventListener('load', () => {
  SwaggerUIBundle({
    url: 'openapi.json',
    dom_id: '#api',
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    docExpansion: 'none',
    filter: true,
    operationsSorter: (a, b) => METHODS.indexOf(a.get('method')) - METHODS.indexOf(b.get('method')),
    validatorUrl: null,
  });
});
