"""English to Brazilian Portuguese, by part of speech; small, and honest about its size."""


def _table(text: str) -> dict[str, str]:
    pairs = (entry.partition("=") for line in text.splitlines() for entry in line.split(","))
    return {english.strip(): portuguese.strip() for english, _, portuguese in pairs if portuguese}


# Masculine singular, feminine singular, masculine plural, feminine plural.
DETERMINERS = {
    "the": ("o", "a", "os", "as"),
    "a": ("um", "uma", "uns", "umas"),
    "an": ("um", "uma", "uns", "umas"),
    "your": ("seu", "sua", "seus", "suas"),
    "our": ("nosso", "nossa", "nossos", "nossas"),
    "my": ("meu", "minha", "meus", "minhas"),
    "this": ("este", "esta", "estes", "estas"),
    "these": ("este", "esta", "estes", "estas"),
    "that": ("esse", "essa", "esses", "essas"),
    "those": ("esse", "essa", "esses", "essas"),
    "all": ("todo", "toda", "todos", "todas"),
    "some": ("algum", "alguma", "alguns", "algumas"),
    "every": ("cada", "cada", "cada", "cada"),
    "each": ("cada", "cada", "cada", "cada"),
}

PHRASES = _table(
    """
    call to action = chamada para ação, key phrases = frases-chave, target audience = público-alvo
    at least = pelo menos, as well as = assim como, at once = de uma vez, for example = por exemplo
    in order to = para, such as = como, a lot of = muitos, in one place = em um só lugar
    young professionals = jovens profissionais, young people = jovens, thank you = obrigado
    good morning = bom dia, this week = esta semana, this month = este mês, this year = este ano
    last time = última vez, first time = primeira vez, every day = todos os dias, next step = próximo passo
    social media = redes sociais, small business = pequena empresa, small businesses = pequenas empresas
    of the = do, in the = no, on the = no, to the = ao, by the = pelo, instead of = em vez de
    it is = é, there is = há, there are = há, is not = não é, do not = não, does not = não
    think of the last time = pense na última vez que, what changes with = o que muda com
    is no longer = não é mais, you know = você sabe, between two meetings = entre duas reuniões
    pick the one change = escolher a única mudança, that pays off = que compensa, look at = observar
    if you wonder = se você se pergunta, whether it lasts = se isso dura, coffee warm = café quente
    had to = teve de, three small steps = três pequenos passos, is easy to say = é fácil de dizer
    in mind from the start = em mente desde o início, it keeps = mantém, it costs = custa
    marketing campaign = campanha de marketing, blog post = post de blog, remote work = trabalho remoto
    think of = pense em, aimed at = voltado para, deal with = lidar com, sort out = resolver
    turns that around = muda isso, five minutes = cinco minutos, easy to say = fácil de dizer
    no longer = não é mais, one thing = uma coisa, one more thing = mais uma coisa
    something you can = algo que você pode, on day one = no primeiro dia, getting there = chegar lá
    pays off = compensa, each of them = cada um deles, in mind = em mente
    from the start = desde o início, part of the design = parte do projeto, that is why = é por isso que
    can rely on = podem contar com, rely on it = contar com isso, as much as = tanto quanto
    you had to = você teve de, what you already have = o que você já tem, it works = funciona
    one change = única mudança, where you stand = onde você está, what works = o que funciona
    to try = a experimentar, it starts = começa, it asks for = pede, it was = foi, is part of = faz parte de
    in practice = na prática, out of = fora de, made for = feito para, real days = dias reais
    you can = você pode, we are = nós somos, you are = você é, more than = mais que, less than = menos que
    """
)

NOUNS = _table(
    """
    action = ação, agency = agência, agent = agente, agreement = acordo, answer = resposta, app = aplicativo
    article = artigo, audience = público, benefit = benefício, bottle = garrafa, brand = marca, bread = pão
    brief = briefing, budget = orçamento, business = negócio, campaign = campanha, change = mudança
    channel = canal, child = criança, city = cidade, client = cliente, coffee = café, community = comunidade
    company = empresa, content = conteúdo, cost = custo, country = país, customer = cliente, data = dados
    day = dia, deadline = prazo, design = design, difference = diferença, discount = desconto
    document = documento, draft = rascunho, email = e-mail, employee = funcionário, energy = energia
    event = evento, example = exemplo, experience = experiência, fact = fato, family = família
    feature = recurso, feedback = retorno, food = comida, friend = amigo, future = futuro, goal = objetivo
    group = grupo, growth = crescimento, guide = guia, health = saúde, home = casa, hour = hora
    house = casa, idea = ideia, image = imagem, language = idioma, launch = lançamento, level = nível
    life = vida, line = linha, list = lista, manager = gerente, market = mercado, marketing = marketing
    meeting = reunião, member = membro, message = mensagem, minute = minuto, model = modelo, money = dinheiro
    month = mês, morning = manhã, music = música, name = nome, need = necessidade, network = rede, news = notícia
    newsletter = boletim, number = número, offer = oferta, office = escritório, order = pedido
    outline = roteiro, page = página, part = parte, partner = parceiro, people = pessoas, person = pessoa
    place = lugar, plan = plano, plastic = plástico, point = ponto, post = publicação, price = preço
    problem = problema, process = processo, product = produto, professional = profissional, project = projeto
    promise = promessa, proof = prova, quality = qualidade, question = pergunta, reader = leitor
    report = relatório, request = solicitação, result = resultado, review = revisão, risk = risco, sale = venda
    school = escola, season = temporada, sentence = frase, service = serviço, shop = loja, solution = solução
    start = início, step = passo, store = loja, story = história, strategy = estratégia, student = estudante
    summary = resumo, support = suporte, system = sistema, task = tarefa, teacher = professor, team = equipe
    technology = tecnologia, test = teste, text = texto, time = tempo, title = título, tone = tom, tool = ferramenta
    trip = viagem, trust = confiança, user = usuário, value = valor, version = versão, video = vídeo
    voice = voz, water = água, way = forma, website = site, week = semana, weekend = fim de semana
    thing = coisa, room = sala, view = vista, practice = prática, campaign = campanha, phrase = frase
    habit = hábito, day-to-day = dia a dia, kitchen = cozinha, street = rua, bag = bolsa, bike = bicicleta
    January = janeiro, February = fevereiro, March = março, April = abril, June = junho, July = julho
    August = agosto, September = setembro, October = outubro, November = novembro, December = dezembro
    word = palavra, work = trabalho, workshop = oficina, world = mundo, year = ano, sun = sol, garden = jardim
    Monday = segunda-feira, Tuesday = terça-feira, Wednesday = quarta-feira, Thursday = quinta-feira
    Friday = sexta-feira, Saturday = sábado, Sunday = domingo
    """
)
FEMININE_IN_SPITE_OF_THEIR_ENDING = frozenset({"rede", "voz", "equipe", "parte", "manhã", "frase"})
MASCULINE_IN_SPITE_OF_THEIR_ENDING = frozenset({"dia", "problema", "sistema", "guia", "idioma"})

ADJECTIVES = _table(
    """
    available = disponível, bad = ruim, beautiful = bonito, best = melhor, better = melhor, big = grande
    busy = corrido, cheap = barato, clean = limpo, clear = claro, complete = completo, daily = diário
    digital = digital, direct = direto, early = antecipado, easy = fácil, fair = justo, fast = rápido
    first = primeiro, free = gratuito, fresh = fresco, friendly = amigável, full = cheio, good = bom
    great = ótimo, green = verde, happy = feliz, healthy = saudável, high = alto, honest = honesto
    important = importante, interesting = interessante, international = internacional, large = grande
    last = último, likely = provável, local = local, long = longo, low = baixo, main = principal
    modern = moderno, natural = natural, new = novo, next = próximo, old = antigo, online = online
    open = aberto, personal = pessoal, practical = prático, public = público, quick = rápido
    quiet = tranquilo, ready = pronto, real = real, regional = regional, reliable = confiável, reusable = reutilizável
    safe = seguro, second = segundo, short = curto, simple = simples, small = pequeno, smart = inteligente
    social = social, solar = solar, special = especial, strong = forte, sustainable = sustentável
    third = terceiro, true = verdadeiro, urban = urbano, useful = útil, warm = caloroso, weekly = semanal
    young = jovem, whole = inteiro
    """
)
BEFORE_THE_NOUN = frozenset({"primeiro", "segundo", "terceiro", "último", "próximo", "melhor"})

OTHERS = _table(
    """
    and = e, or = ou, but = mas, if = se, because = porque, when = quando, while = enquanto, as = como
    of = de, in = em, on = em, at = em, to = para, for = para, from = de, with = com, without = sem, by = por
    about = sobre, into = em, over = sobre, under = sob, between = entre, before = antes, after = depois
    during = durante, until = até, against = contra, around = em torno de, behind = por trás de
    i = eu, you = você, he = ele, she = ela, we = nós, they = eles, it = isso, us = nos, them = eles
    who = quem, what = o que, which = que, where = onde, how = como, why = por que, its = seu, their = seu
    is = é, are = são, was = foi, were = foram, be = ser, has = tem, have = têm, had = tinha, can = pode
    will = vai, must = deve, should = deveria, could = poderia, would = faria, may = pode, does = faz, do = fazer
    make = fazer, makes = faz, made = feito, use = usar, uses = usa, using = usando, try = experimente
    start = começar, starts = começa, begin = começar, stop = parar, stops = para, help = ajudar
    helps = ajuda, work = trabalhar, works = funciona, need = precisar, needs = precisa, want = querer, wants = quer
    know = saber, knows = sabe, see = ver, say = dizer, says = diz, give = dar, gives = dá, take = levar
    takes = leva, get = obter, find = encontrar, keep = manter, buy = comprar, sell = vender, send = enviar
    write = escrever, read = ler, create = criar, build = construir, launch = lançar, show = mostrar
    invite = convide, discover = descubra, learn = aprender, share = compartilhar, save = economizar
    compare = comparar, open = abrir, opens = abre, come = vir, comes = vem, go = ir, goes = vai, meet = conhecer
    think = pensar, look = olhar, pay = pagar, pays = paga, choose = escolher, join = participe, built = construído
    turns = transforma, becomes = torna-se, means = significa, brings = traz, offers = oferece
    whether = se, wonder = imaginar, lasts = dura, pick = escolher, through = por, being = sendo, matters = importa
    keeps = mantém, asks = pede, costs = custa, ships = chega, guides = orienta, came = veio, had = teve, off = fora
    up = para cima, out = fora, around = ao redor, those = aqueles, added = adicionado, made = feito, is = é
    not = não, no = não, yes = sim, now = agora, today = hoje, tomorrow = amanhã, yesterday = ontem
    here = aqui, there = lá, always = sempre, never = nunca, also = também, only = apenas, very = muito
    more = mais, less = menos, most = mais, many = muitos, much = muito, few = poucos, still = ainda
    already = já, soon = em breve, again = novamente, together = juntos, well = bem, then = então, too = também
    even = até mesmo, probably = provavelmente, than = do que, so = então, just = apenas, like = como
    one = um, two = dois, three = três, four = quatro, five = cinco, six = seis, seven = sete, eight = oito
    nine = nove, ten = dez, hundred = cem, thousand = mil, nothing = nada, something = algo, everything = tudo
    everyone = todos, another = outro, other = outro, same = mesmo, hello = olá, please = por favor
    welcome = bem-vindo, thanks = obrigado
    """
)
