# A table of 30,000 rows: sorted, grouped, searched by regular expressions, digested, joined to text and split again.
require 'digest'
Row = Struct.new(:id, :name, :share, :tag)
state = 7
rows = (0...30_000).map do |i|
  state = (state * 1_103_515_245 + 12_345) & 0x7fffffff
  Row.new(i, "n#{i * 7919 % 10_007}", (state >> 8) % 100_000 / 1000.0, (97 + i % 23).chr)
end
rows.sort! { |a, b| (a.share <=> b.share).nonzero? || a.id <=> b.id }
means = rows.group_by(&:tag).sort.map { |tag, some| format('%s=%.3f', tag, some.sum(&:share) / some.size) }
puts means.join(' ')
text = rows.map { |row| "#{row.name}, #{row.share} <#{row.tag}@#{row.id}.org>" }.join("\n")
found = text.scan(/\b(n\d*7), ([\d.]+) <(\w+)@(\d+)\.org>/)
puts "#{found.size} #{found.sum { |_, share| share.to_f }.round(3)}"
puts text.gsub(/<(\w)@(\d+)/) { "<#{$1.upcase}#{$2.to_i.to_s(16)}" }.size
puts text.each_line(chomp: true).reduce('') { |digest, line| Digest::MD5.hexdigest(digest + line) }
words = text.split(/\W+/).tally
puts "#{words.size} #{words.values.max} #{words.min_by { |word, count| [-count, word] }.first}"
