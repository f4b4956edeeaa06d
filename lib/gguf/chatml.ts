/**
 * A chat template of ChatML: every turn between its marks, a picture as `picture` where its message has it.
 *
 * @param first what stands before all turns, as part of the template.
 */
export function chatml(picture: string, first = ""): string {
  return [
    first,
    "{% for message in messages %}",
    "{{ '<|im_start|>' + message['role'] + '\\n' }}",
    "{% if message['content'] is string %}{{ message['content'] }}",
    "{% else %}{% for part in message['content'] %}",
    `{{ ${JSON.stringify(picture)} if part['type'] == 'image' else part['text'] }}{% endfor %}{% endif %}`,
    "{{ '<|im_end|>\\n' }}",
    "{% endfor %}",
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
  ].join("");
}
